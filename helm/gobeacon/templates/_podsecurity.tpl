{{/*
The Pod Security level that a namespace must admit for the pods: folders and namespaces of the node need `privileged`,
uid 0 needs `baseline`, and what neither has is `restricted`.
*/}}
{{- define "gobeacon.podSecurityLevel" -}}
{{- $presets := include "gobeacon.presets" . | fromYaml -}}
{{- $hostPaths := or $presets.hostPaths (eq .Values.state.type "hostPath") -}}
{{- range .Values.extraVolumes }}{{ if .hostPath }}{{ $hostPaths = true }}{{ end }}{{ end -}}
{{- $host := or $hostPaths $presets.hostPID $presets.hostNetwork .Values.hostNetwork $presets.capabilities -}}
{{- $nonRoot := or .Values.podSecurityContext.runAsNonRoot .Values.securityContext.runAsNonRoot -}}
{{- if $host }}privileged{{ else if $nonRoot }}restricted{{ else }}baseline{{ end -}}
{{- end }}
