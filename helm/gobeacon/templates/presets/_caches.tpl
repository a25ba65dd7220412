{{/*
The preset `caches`: module caches, build caches, Go's counters and action graphs that lie on the node.
*/}}
{{- define "gobeacon.preset.caches" -}}
{{- $caches := .Values.presets.caches -}}
{{- $hostPaths := list -}}
{{- range concat $caches.homes $caches.modcache $caches.gocache $caches.goTelemetry $caches.actionGraph -}}
  {{- $hostPaths = append $hostPaths (include "gobeacon.mountOfFolders" .) -}}
{{- end -}}
{{- range $caches.goSum -}}
  {{- $hostPaths = append $hostPaths (include "gobeacon.mountOfFiles" .) -}}
{{- end -}}
config:
  discovery:
    enabled: {{ not (empty $caches.homes) }}
    {{- with $caches.homes }}
    homes: {{ toJson . }}
    {{- end }}
  {{- with $caches.modcache }}
  modcache:
    dirs: {{ toJson . }}
  {{- end }}
  {{- with $caches.gocache }}
  buildcache:
    dirs: {{ toJson . }}
  {{- end }}
  {{- with $caches.goTelemetry }}
  counters:
    dirs: {{ toJson . }}
  {{- end }}
  {{- with $caches.actionGraph }}
  action_graph:
    dirs: {{ toJson . }}
  {{- end }}
  {{- with $caches.goSum }}
  integrity:
    go_sums: {{ toJson . }}
  {{- end }}
hostPaths: {{ toJson $hostPaths }}
capabilities: {{ toJson (ternary (list "DAC_READ_SEARCH") list $caches.othersFiles) }}
needsRoot: {{ ternary "Kubernetes gives capabilities to uid 0 alone" "" $caches.othersFiles | quote }}
{{- end }}
