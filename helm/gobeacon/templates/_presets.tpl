{{/*
Presets: each is a file in `presets/` with one definition, `gobeacon.preset.<name>`, and a word in the list below. It says
in YAML what it needs, and knows nothing of the others:

  config:        keys of the agent's configuration
  hostPaths:     folders of the node, mounted read-only under their own path
  capabilities:  what the container may besides
  needsRoot:     why it must run as uid 0, as the end of a sentence; empty where it need not
  hostPID, hostNetwork: true where it needs the node's

`gobeacon.presets` gives all of it together, as YAML.
*/}}
{{- define "gobeacon.presets" -}}
{{- $all := dict "config" dict "hostPaths" list "capabilities" list "needsRoot" "" "hostPID" false "hostNetwork" false -}}
{{- range $name := list "logs" "caches" -}}
  {{- if (index $.Values.presets $name).enabled -}}
    {{- $preset := include (printf "gobeacon.preset.%s" $name) $ | fromYaml -}}
    {{- if $preset.Error }}{{ fail (printf "preset %s: %s" $name $preset.Error) }}{{ end -}}
    {{- include "gobeacon.merge" (list $all.config (default dict $preset.config)) -}}
    {{- $_ := set $all "hostPaths" (concat $all.hostPaths (default list $preset.hostPaths)) -}}
    {{- $_ := set $all "capabilities" (concat $all.capabilities (default list $preset.capabilities) | uniq | sortAlpha) -}}
    {{- $_ := set $all "needsRoot" (default $preset.needsRoot $all.needsRoot) -}}
    {{- $_ := set $all "hostPID" (or $all.hostPID $preset.hostPID | default false) -}}
    {{- $_ := set $all "hostNetwork" (or $all.hostNetwork $preset.hostNetwork | default false) -}}
  {{- end -}}
{{- end -}}
{{- $_ := set $all "hostPaths" (include "gobeacon.outermost" $all.hostPaths | fromYamlArray) -}}
{{- toYaml $all -}}
{{- end }}

{{/* Puts the second of two maps into the first: maps are joined, lists go behind each other, anything else replaces. */}}
{{- define "gobeacon.merge" -}}
{{- $into := index . 0 -}}
{{- range $key, $value := index . 1 -}}
  {{- $there := get $into $key -}}
  {{- if and (kindIs "map" $there) (kindIs "map" $value) -}}
    {{- include "gobeacon.merge" (list $there $value) -}}
  {{- else if and (kindIs "slice" $there) (kindIs "slice" $value) -}}
    {{- $_ := set $into $key (concat $there $value | uniq) -}}
  {{- else if not (kindIs "invalid" $value) -}}
    {{- $_ := set $into $key $value -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{/* The folder that must be mounted so that a pattern finds what it names: all in front of the first wildcard. */}}
{{- define "gobeacon.mountOfFolders" -}}
{{- $mount := "" -}}
{{- range $part := trimAll "/" . | splitList "/" -}}
  {{- if regexMatch "[*?{\\[]" $part -}}{{- break -}}{{- end -}}
  {{- $mount = printf "%s/%s" $mount $part -}}
{{- end -}}
{{- $mount -}}
{{- end }}

{{/* The same for a pattern of files: without a wildcard it is the folder of the file. */}}
{{- define "gobeacon.mountOfFiles" -}}
{{- include "gobeacon.mountOfFolders" (printf "%s/*" (dir .)) -}}
{{- end }}

{{/* Of a list of folders those that lie in no other one of it, in order. */}}
{{- define "gobeacon.outermost" -}}
{{- $folders := . | uniq | sortAlpha -}}
{{- $outermost := list -}}
{{- range $folder := $folders -}}
  {{- $inside := false -}}
  {{- range $outer := $folders -}}
    {{- if and (ne $outer $folder) (hasPrefix (printf "%s/" $outer) $folder) }}{{ $inside = true }}{{ end -}}
  {{- end -}}
  {{- if not $inside }}{{ $outermost = append $outermost $folder }}{{ end -}}
{{- end -}}
{{- toYaml $outermost -}}
{{- end }}
