{{/*
The preset `logs`: what containers print, and other log files of the node.
*/}}
{{- define "gobeacon.preset.logs" -}}
{{- $logs := .Values.presets.logs -}}
{{- $include := list -}}
{{- $hostPaths := list -}}
{{- if $logs.pods -}}
  {{- $hostPaths = append $hostPaths "/var/log/pods" -}}
  {{- if $logs.docker }}{{ $hostPaths = append $hostPaths "/var/lib/docker/containers" }}{{ end -}}
  {{- /* the kubelet calls a pod's folder NAMESPACE_POD_UID */ -}}
  {{- range default (list "*") $logs.namespaces -}}
    {{- $include = append $include (ternary "/var/log/pods/*/*/*.log" (printf "/var/log/pods/%s_*/*/*.log" .) (eq . "*")) -}}
  {{- end -}}
{{- end -}}
{{- range $logs.files -}}
  {{- $include = append $include . -}}
  {{- $hostPaths = append $hostPaths (include "gobeacon.mountOfFiles" .) -}}
{{- end -}}
{{- /* what the agent passes over by itself, its own log, and what the values say */ -}}
{{- $own := printf "/var/log/pods/%s_%s-*" .Release.Namespace (include "gobeacon.fullname" .) -}}
config:
  logs:
    include: {{ toJson $include }}
    exclude: {{ toJson (concat (list "*.gz" "*.zst" "*.xz" "*.bz2" $own) $logs.exclude) }}
hostPaths: {{ toJson $hostPaths }}
capabilities: {{ toJson (ternary (list "DAC_READ_SEARCH") list $logs.othersFiles) }}
needsRoot: {{ ternary "the kubelet's logs of containers are for uid 0 alone" "" $logs.pods | quote }}
{{- end }}
