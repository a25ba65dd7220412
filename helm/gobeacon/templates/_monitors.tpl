{{/*
One endpoint of a PodMonitor or ServiceMonitor. Takes the context and the monitor's values.
*/}}
{{- define "gobeacon.endpoint" -}}
{{- $root := index . 0 -}}
{{- $monitor := index . 1 -}}
- port: metrics
  path: /metrics
  {{- with $monitor.interval }}
  interval: {{ . }}
  {{- end }}
  {{- with $monitor.scrapeTimeout }}
  scrapeTimeout: {{ . }}
  {{- end }}
  relabelings:
    # a node keeps its name while pods come and go
    - sourceLabels: [__meta_kubernetes_pod_node_name]
      targetLabel: instance
    {{- with $root.Values.metrics.clusterLabel }}
    - targetLabel: cluster
      replacement: {{ . | quote }}
    {{- end }}
    {{- with $monitor.relabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $monitor.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
