{{/*
Volumes: names of those of the node, and the files of secrets.
*/}}

{{/* The name of a folder's volume: readable, and another one for each folder. */}}
{{- define "gobeacon.volumeName" -}}
{{- $readable := regexReplaceAll "[^a-z0-9]+" (lower .) "-" | trimAll "-" | trunc 40 | trimSuffix "-" -}}
{{- printf "node-%s-%s" $readable (sha256sum . | trunc 6) -}}
{{- end }}

{{- define "gobeacon.secretMounts" -}}
{{- $secrets := .Values.otlpSecrets -}}
{{- if $secrets.headers }}
- name: otlp-headers
  mountPath: /etc/gobeacon-otlp/headers
  readOnly: true
{{- end }}
{{- range $name := list "ca" "client" }}
{{- if (index $secrets $name).name }}
- name: otlp-{{ $name }}
  mountPath: /etc/gobeacon-otlp/{{ $name }}
  readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{- define "gobeacon.secretVolumes" -}}
{{- $secrets := .Values.otlpSecrets -}}
{{- with $secrets.headers }}
- name: otlp-headers
  projected:
    defaultMode: 0440
    sources:
    {{- range $header, $from := . }}
      - secret:
          name: {{ $from.secret }}
          items:
            - key: {{ $from.key }}
              path: {{ $header }}
    {{- end }}
{{- end }}
{{- with $secrets.ca }}
{{- if .name }}
- name: otlp-ca
  {{- if eq .kind "Secret" }}
  secret:
    secretName: {{ .name }}
    defaultMode: 0440
  {{- else }}
  configMap:
    name: {{ .name }}
  {{- end }}
{{- end }}
{{- end }}
{{- if $secrets.client.name }}
- name: otlp-client
  secret:
    secretName: {{ $secrets.client.name }}
    defaultMode: 0440
{{- end }}
{{- end }}
