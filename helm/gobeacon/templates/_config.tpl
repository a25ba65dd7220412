{{/*
The agent's configuration: what the chart decides, then the presets, then `config` of the values.
*/}}
{{- define "gobeacon.config" -}}
{{- $presets := include "gobeacon.presets" . | fromYaml -}}
{{- $config := dict "listen" (printf ":%d" (int .Values.metrics.port)) "state_dir" "/var/lib/gobeacon" -}}
{{- /* without the preset nothing of the node is there to discover, and the agent's own home is empty */ -}}
{{- if not .Values.presets.caches.enabled }}{{ $_ := set $config "discovery" (dict "enabled" false) }}{{ end -}}
{{- include "gobeacon.merge" (list $config $presets.config) -}}
{{- include "gobeacon.merge" (list $config (dict "otlp" (include "gobeacon.config.secrets" . | fromYaml))) -}}
{{- include "gobeacon.merge" (list $config .Values.config) -}}
{{- include "gobeacon.whole" $config -}}
{{- include "gobeacon.bare" $config -}}
{{- toYaml $config -}}
{{- end }}

{{/* Where the files of secrets are mounted, as the agent's configuration says it. */}}
{{- define "gobeacon.config.secrets" -}}
{{- $secrets := .Values.otlpSecrets -}}
{{- with $secrets.headers }}
header_files:
{{- range $header, $_ := . }}
  {{ $header }}: /etc/gobeacon-otlp/headers/{{ $header }}
{{- end }}
{{- end }}
{{- if $secrets.ca.name }}
certificate: /etc/gobeacon-otlp/ca/{{ $secrets.ca.key }}
{{- end }}
{{- if $secrets.client.name }}
client_certificate: /etc/gobeacon-otlp/client/{{ $secrets.client.certificateKey }}
client_key: /etc/gobeacon-otlp/client/{{ $secrets.client.privateKeyKey }}
{{- end }}
{{- end }}

{{/* Helm reads numbers as floats, and 1073741824 would be written as 1.073741824e+09. */}}
{{- define "gobeacon.whole" -}}
{{- $map := . -}}
{{- range $key, $value := $map -}}
  {{- if kindIs "map" $value -}}
    {{- include "gobeacon.whole" $value -}}
  {{- else if kindIs "slice" $value -}}
    {{- $whole := list -}}
    {{- range $one := $value -}}
      {{- $numbered := dict "it" $one -}}
      {{- include "gobeacon.whole" $numbered -}}
      {{- $whole = append $whole $numbered.it -}}
    {{- end -}}
    {{- $_ := set $map $key $whole -}}
  {{- else if kindIs "float64" $value -}}
    {{- if eq $value (floor $value) }}{{ $_ := set $map $key (int64 $value) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{/* Takes out of a map what says nothing: nulls, and maps without content. */}}
{{- define "gobeacon.bare" -}}
{{- $map := . -}}
{{- range $key, $value := $map -}}
  {{- if kindIs "map" $value }}{{ include "gobeacon.bare" $value }}{{ end -}}
  {{- if or (kindIs "invalid" $value) (and (kindIs "map" $value) (empty $value)) }}{{ $_ := unset $map $key }}{{ end -}}
{{- end -}}
{{- end }}
