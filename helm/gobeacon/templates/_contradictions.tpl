{{/*
Values that each are fine and together make no sense. Each sentence says what to change.
*/}}
{{- define "gobeacon.contradictions" -}}
{{- $values := .Values -}}
{{- $presets := include "gobeacon.presets" . | fromYaml -}}
{{- $config := include "gobeacon.config" . | fromYaml -}}
{{- include "gobeacon.contradictions.watched" (dict "values" $values "presets" $presets "config" $config) -}}
{{- include "gobeacon.contradictions.config" $values -}}
{{- include "gobeacon.contradictions.security" (dict "values" $values "presets" $presets) -}}

{{- $scraped := list -}}
{{- if $values.podMonitor.enabled }}{{ $scraped = append $scraped "podMonitor.enabled" }}{{ end -}}
{{- if $values.serviceMonitor.enabled }}{{ $scraped = append $scraped "serviceMonitor.enabled" }}{{ end -}}
{{- if $values.metrics.scrapeAnnotations }}{{ $scraped = append $scraped "metrics.scrapeAnnotations" }}{{ end -}}
{{- if gt (len $scraped) 1 -}}
  {{- fail (printf "%s: each pod would be scraped more than once and every sum would be too high; keep one of them" (join " and " $scraped)) -}}
{{- end -}}
{{- if and $values.metrics.clusterLabel (not (or $values.podMonitor.enabled $values.serviceMonitor.enabled)) -}}
  {{- fail "metrics.clusterLabel: only podMonitor and serviceMonitor set it; enable one of them, or set the label in external_labels of Prometheus and remove it here" -}}
{{- end -}}

{{- if and $values.networkPolicy.enabled (or $values.hostNetwork $presets.hostNetwork) -}}
  {{- fail "networkPolicy.enabled: a NetworkPolicy does not apply to pods with hostNetwork; switch one of them off" -}}
{{- end -}}

{{- $grace := int $values.terminationGracePeriodSeconds -}}
{{- $shutdown := default "10s" $values.config.shutdown_timeout -}}
{{- if le $grace (int (include "gobeacon.seconds" $shutdown)) -}}
  {{- fail (printf "terminationGracePeriodSeconds: %d s is not longer than config.shutdown_timeout (%s), and the kubelet would kill the agent while it sends what is left; make it longer than that" $grace $shutdown) -}}
{{- end -}}
{{- end }}

{{- define "gobeacon.contradictions.watched" -}}
{{- $config := .config -}}
{{- $caches := .values.presets.caches -}}
{{- $logs := .values.presets.logs -}}
{{- if $logs.enabled -}}
  {{- if and (not $logs.pods) (empty $logs.files) -}}
    {{- fail "presets.logs: neither the logs of pods nor any files are named; set presets.logs.pods, name presets.logs.files, or set presets.logs.enabled to false" -}}
  {{- end -}}
  {{- if and $logs.namespaces (not $logs.pods) -}}
    {{- fail "presets.logs.namespaces: it chooses among the logs of pods, which presets.logs.pods switches off; set that to true or remove the namespaces" -}}
  {{- end -}}
{{- end -}}
{{- $named := concat $caches.homes $caches.modcache $caches.gocache $caches.goTelemetry $caches.actionGraph -}}
{{- if and $caches.enabled (empty $named) -}}
  {{- fail "presets.caches: no folder of the node is named; name some in presets.caches.homes, .modcache, .gocache, .goTelemetry or .actionGraph, or set presets.caches.enabled to false" -}}
{{- end -}}
{{- if and (not $caches.enabled) $named -}}
  {{- fail "presets.caches: folders are named but the preset is off; set presets.caches.enabled to true or remove them" -}}
{{- end -}}
{{- range $key := list "files" "namespaces" -}}
  {{- if and (not $logs.enabled) (get $logs $key) -}}
    {{- fail (printf "presets.logs.%s: it is given but the preset is off; set presets.logs.enabled to true or remove it" $key) -}}
  {{- end -}}
{{- end -}}
{{- $watched := list -}}
{{- range list "logs/include" "discovery/homes" "modcache/dirs" "buildcache/dirs" "counters/dirs" "action_graph/dirs" -}}
  {{- $at := splitList "/" . -}}
  {{- $watched = concat $watched (dig (index $at 0) (index $at 1) list $config) -}}
{{- end -}}
{{- if empty $watched -}}
  {{- fail "nothing would be watched: set presets.logs.enabled or presets.caches.enabled to true, or name folders of a volume of your own in config" -}}
{{- end -}}
{{- range .presets.hostPaths -}}
  {{- if or (eq . "") (has (printf "/%s" (index (splitList "/" .) 1)) (list "/proc" "/sys" "/dev" "/etc" "/boot")) -}}
    {{- fail (printf "presets: a pattern would mount %s of the node; name a folder that holds logs or caches in front of its first wildcard" (default "all" .)) -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{- define "gobeacon.contradictions.config" -}}
{{- $config := .config -}}
{{- if $config.listen }}{{ fail "config.listen: the chart sets it for its probes and monitors; remove it and set metrics.port" }}{{ end -}}
{{- if $config.state_dir }}{{ fail "config.state_dir: the chart sets it to where it mounts the state; remove it and set state.hostPath" }}{{ end -}}
{{- if dig "host" "id" nil $config }}{{ fail "config.host.id: all nodes would have the same id and their traces would be mixed; remove it, the chart sets the name of each node" }}{{ end -}}
{{- $otlp := default dict $config.otlp -}}
{{- range $header, $_ := .otlpSecrets.headers -}}
  {{- range $key := list "headers" "header_files" -}}
    {{- if hasKey (default dict (get $otlp $key)) $header -}}
      {{- fail (printf "otlpSecrets.headers.%s: config.otlp.%s gives this header too; remove one of them" $header $key) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if and .otlpSecrets.ca.name $otlp.certificate }}{{ fail "otlpSecrets.ca: config.otlp.certificate names another file; remove one of them" }}{{ end -}}
{{- if and .otlpSecrets.client.name (or $otlp.client_certificate $otlp.client_key) -}}
  {{- fail "otlpSecrets.client: config.otlp.client_certificate or client_key names another file; remove one of them" -}}
{{- end -}}
{{- if and (or .otlpSecrets.ca.name .otlpSecrets.client.name) (hasPrefix "http://" (default "" $otlp.endpoint)) -}}
  {{- fail (printf "otlpSecrets: certificates are given but %s goes without TLS; make config.otlp.endpoint https:// or remove them" $otlp.endpoint) -}}
{{- end -}}
{{- if and .state.sizeLimit (ne .state.type "emptyDir") -}}
  {{- fail "state.sizeLimit: only an emptyDir has one; set state.type to emptyDir, or remove it and set config.otlp.spool_bytes" -}}
{{- end -}}
{{- end }}

{{- define "gobeacon.contradictions.security" -}}
{{- $contexts := list (dict "name" "podSecurityContext" "is" .values.podSecurityContext) (dict "name" "securityContext" "is" .values.securityContext) -}}
{{- $why := default "" .presets.needsRoot -}}
{{- range $contexts -}}
  {{- if and $why (or .is.runAsNonRoot (gt (int (default 0 .is.runAsUser)) 0)) -}}
    {{- fail (printf "%s: the agent must run as uid 0, because %s; remove runAsUser and runAsNonRoot, or switch that off" .name $why) -}}
  {{- end -}}
{{- end -}}
{{- $user := int (default (default 0 .values.podSecurityContext.runAsUser) .values.securityContext.runAsUser) -}}
{{- if and (gt $user 0) (eq .values.state.type "hostPath") -}}
  {{- fail (printf "state.type: uid %d cannot write a folder that the kubelet makes on the node; set state.type to emptyDir" $user) -}}
{{- end -}}
{{- $nonRoot := or .values.podSecurityContext.runAsNonRoot .values.securityContext.runAsNonRoot -}}
{{- if and $nonRoot (eq $user 0) -}}
  {{- fail "runAsNonRoot: without a runAsUser the agent would run as uid 0 and never start; set securityContext.runAsUser" -}}
{{- end -}}
{{- end }}

{{/* Whole seconds of a time as the agent writes it: 1m30s, 250ms; parts of a second count as one. */}}
{{- define "gobeacon.seconds" -}}
{{- $seconds := 0.0 -}}
{{- range regexFindAll "[0-9.]+[a-zµ]+" . -1 -}}
  {{- $number := regexFind "^[0-9.]+" . | float64 -}}
  {{- $unit := regexFind "[a-zµ]+$" . -}}
  {{- $seconds = addf $seconds (mulf $number (get (dict "h" 3600.0 "m" 60.0 "s" 1.0 "ms" 0.001) $unit | default 0.0)) -}}
{{- end -}}
{{- ceil $seconds | int -}}
{{- end }}
