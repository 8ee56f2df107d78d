{{- define "stoker.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 50, so that the longest suffix fits a name of 63. */}}
{{- define "stoker.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "stoker.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "stoker.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The Service by which replicas find each other. */}}
{{- define "stoker.headless" -}}
{{- include "stoker.fullname" . }}-headless
{{- end -}}

{{/* The Service that the Cluster Autoscaler asks. */}}
{{- define "stoker.expander" -}}
{{- include "stoker.fullname" . }}-expander
{{- end -}}

{{/* Never the version: a Deployment's selector cannot change. */}}
{{- define "stoker.selectorLabels" -}}
app.kubernetes.io/name: {{ include "stoker.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "stoker.labels" -}}
{{ include "stoker.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A workload's role tells its pods from those of roles to come. */}}
{{- define "stoker.adapter.selectorLabels" -}}
{{ include "stoker.selectorLabels" . }}
app.kubernetes.io/component: adapter
{{- end -}}

{{- define "stoker.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "stoker.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "stoker.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "stoker.tlsSecret" -}}
{{- .Values.tls.secretName | default (printf "%s-tls" (include "stoker.fullname" .)) -}}
{{- end -}}

{{- define "stoker.tokensSecret" -}}
{{- .Values.tokens.secretName | default (printf "%s-tokens" (include "stoker.fullname" .)) -}}
{{- end -}}

{{- define "stoker.placeholderPriorityClass" -}}
{{- .Values.placeholders.priorityClass.name | default (printf "%s-%s-placeholder" .Release.Namespace (include "stoker.fullname" .)) -}}
{{- end -}}

{{/* A map as JSON, without the keys that a file of values unset by null. */}}
{{- define "stoker.pruned" -}}
{{- $kept := dict -}}
{{- range $key, $value := . -}}
{{- if kindIs "map" $value -}}
{{- $_ := set $kept $key (include "stoker.pruned" $value | fromJson) -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- $_ := set $kept $key $value -}}
{{- end -}}
{{- end -}}
{{- $kept | toJson -}}
{{- end -}}

{{- define "stoker.config" -}}
{{- include "stoker.pruned" .Values.config -}}
{{- end -}}

{{/* Policies with headroom, as a JSON map of name to their `capacity`, complete with mechanism, namespace and name. */}}
{{- define "stoker.headroom" -}}
{{- $config := include "stoker.config" . | fromJson -}}
{{- $section := $config.capacity | default dict -}}
{{- $found := dict -}}
{{- range $name, $policy := $config.policies -}}
{{- if hasKey $policy "capacity" -}}
{{- $default := dict "mechanism" (dig "mechanism" "none" $section) "namespace" $.Release.Namespace "name" (printf "stoker-%s" (regexReplaceAll "-+$" (regexReplaceAll "[^a-z0-9-]" ($name | lower) "-") "")) "maxExecutors" 100 -}}
{{- $_ := set $found $name (merge (deepCopy $policy.capacity) $default) -}}
{{- end -}}
{{- end -}}
{{- $found | toJson -}}
{{- end -}}

{{/* A size as Stoker reads it (18g, 18GB, 18GiB: all binary) in the form of Kubernetes. */}}
{{- define "stoker.size" -}}
{{- $unit := "(?i)^([0-9.]+)\\s*([kmgtp])(i|b|ib)?$" -}}
{{- if regexMatch $unit . -}}
{{- regexReplaceAll $unit . "${1}${2}" | upper }}i
{{- else if regexMatch "(?i)^[0-9.]+\\s*b$" . -}}
{{- regexReplaceAll "(?i)\\s*b$" . "" -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* Rights that the configuration needs: a JSON map of namespace to rules. */}}
{{- define "stoker.rights" -}}
{{- $rights := dict -}}
{{- $config := include "stoker.config" . | fromJson -}}
{{- $capacity := $config.capacity | default dict -}}
{{- $headroom := include "stoker.headroom" . | fromJson -}}

{{- /* Pods: Spark drivers that are looked for, and what signals of type pods count. */ -}}
{{- $namespaces := .Values.rbac.sparkNamespaces -}}
{{- $connections := dig "connections" "spark" dict $config | default dict -}}
{{- $discovering := list -}}
{{- range $name, $connection := $connections -}}
{{- if hasKey $connection "discover" -}}
{{- $discovering = append $discovering $name -}}
{{- $namespaces = concat $namespaces (dig "namespaces" list $connection) -}}
{{- end -}}
{{- end -}}
{{- $only := keys $connections | first | default "" -}}
{{- range $policy := $config.policies -}}
{{- $signals := values (dig "signals" dict $policy) -}}
{{- range $key := list "running" "pending" -}}
{{- $signals = append $signals (dig "capacity" $key dict $policy) -}}
{{- end -}}
{{- range $signal := $signals -}}
{{- $discovers := and (eq (dig "type" "" $signal) "spark") (has (dig "connection" $only $signal) $discovering) (not (hasKey $signal "prometheus")) -}}
{{- if and (or $discovers (eq (dig "type" "" $signal) "pods")) (hasKey $signal "namespace") -}}
{{- $namespaces = append $namespaces $signal.namespace -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $told := $headroom -}}
{{- $namespaces = append $namespaces $told.namespace -}}
{{- end -}}
{{- range $namespace := $namespaces | uniq -}}
{{- $_ := set $rights $namespace (list (dict "apiGroups" (list "") "resources" (list "pods") "verbs" (list "list"))) -}}
{{- end -}}

{{- /* What the autoscaler is told, with write the right to tell it, and why it does not follow. */ -}}
{{- $write := dig "write" false $capacity -}}
{{- $written := false -}}
{{- range $told := $headroom -}}
{{- $rules := list (dict "apiGroups" (list "") "resources" (list "events" "resourcequotas") "verbs" (list "list")) -}}
{{- if has $told.mechanism (list "buffer" "provisioningRequest") -}}
{{- $written = $write -}}
{{- $apply := ternary (list "get" "create" "patch") (list "get") $write -}}
{{- $rules = append $rules (dict "apiGroups" (list "") "resources" (list "podtemplates") "verbs" $apply) -}}
{{- if eq $told.mechanism "buffer" -}}
{{- $rules = append $rules (dict "apiGroups" (list "autoscaling.x-k8s.io") "resources" (list "capacitybuffers") "verbs" $apply) -}}
{{- else -}}
{{- $verbs := ternary (list "list" "create" "delete") (list "list") $write -}}
{{- $rules = append $rules (dict "apiGroups" (list "autoscaling.x-k8s.io") "resources" (list "provisioningrequests") "verbs" $verbs) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $rights $told.namespace (concat (get $rights $told.namespace) $rules | uniq) -}}
{{- end -}}
{{- if $written -}}
{{- $namespace := dig "lease" "namespace" .Release.Namespace $capacity -}}
{{- $leases := dict "apiGroups" (list "coordination.k8s.io") "resources" (list "leases") -}}
{{- $own := merge (dict "resourceNames" (list (dig "lease" "name" "stoker-capacity" $capacity)) "verbs" (list "get" "update")) $leases -}}
{{- /* Who creates has no name to be held to. */ -}}
{{- $create := merge (dict "verbs" (list "create")) $leases -}}
{{- $_ := set $rights $namespace (concat (dig $namespace list $rights) (list $own $create)) -}}
{{- end -}}

{{- /* Which groups failed lately, as the autoscaler writes it down, and what it says of itself. */ -}}
{{- if or .Values.expander.enabled $headroom -}}
{{- $namespace := dig "expander" "statusNamespace" "kube-system" $capacity -}}
{{- $rule := dict "apiGroups" (list "") "resources" (list "configmaps") "verbs" (list "get")
  "resourceNames" (list (dig "expander" "statusConfigMap" "cluster-autoscaler-status" $capacity)) -}}
{{- $_ := set $rights $namespace (append (dig $namespace list $rights) $rule) -}}
{{- if $headroom -}}
{{- $rule := dict "apiGroups" (list "") "resources" (list "events") "verbs" (list "list") -}}
{{- $_ := set $rights $namespace (append (get $rights $namespace) $rule) -}}
{{- end -}}
{{- end -}}
{{- $rights | toJson -}}
{{- end -}}

{{/* Whether pods mount the certificate: "true" or "". */}}
{{- define "stoker.certificate" -}}
{{- if or .Values.tls.enabled .Values.expander.enabled -}}true{{- end -}}
{{- end -}}

{{/* What the chart sets of the configuration; takes effect at a start, so a change of it restarts the pods. */}}
{{- define "stoker.server" -}}
{{- $tls := dict "cert" "/etc/stoker/tls/tls.crt" "key" "/etc/stoker/tls/tls.key" -}}
{{- $grpc := dict "listen" "0.0.0.0:6000" -}}
{{- $http := dict "listen" "0.0.0.0:8080" "auth" (dict "tokensFile" "/etc/stoker/tokens/tokens") -}}
{{- $host := printf "%s.%s.svc" (include "stoker.headless" .) .Release.Namespace -}}
{{- $peers := dict "service" $host -}}
{{- if .Values.tls.enabled -}}
{{- $own := $tls -}}
{{- if .Values.tls.clientCa.secretName -}}
{{- $own = merge (dict "clientCa" "/etc/stoker/client-ca/ca.crt" "requireClientCert" .Values.tls.clientCa.required) $tls -}}
{{- end -}}
{{- $_ := set $grpc "tls" $own -}}
{{- if .Values.tls.http -}}
{{- $_ := set $http "tls" $tls -}}
{{- $_ := set $peers "ca" "/etc/stoker/tls/ca.crt" -}}
{{- end -}}
{{- end -}}
{{- $server := dict "grpc" $grpc "http" $http "probes" (dict "listen" "0.0.0.0:8081") "peers" $peers -}}
{{- if .Values.expander.enabled -}}
{{- $_ := set $server "expander" (dict "enabled" true "listen" "0.0.0.0:6001" "tls" $tls) -}}
{{- end -}}
apiVersion: stoker/v1
server:
  {{- $server | toYaml | nindent 2 }}
{{- end -}}

{{/* Mistakes that the schema cannot tell. */}}
{{- define "stoker.validate" -}}
{{- $config := include "stoker.config" . | fromJson -}}
{{- $server := dig "server" dict $config -}}
{{- range $key := list "http" "probes" "peers" "expander" -}}
{{- if hasKey $server $key -}}
{{- fail (printf "config.server.%s: the chart sets it; use the values tls, tokens, adapter and expander instead" $key) -}}
{{- end -}}
{{- end -}}
{{- range $key := list "listen" "tls" -}}
{{- if hasKey (dig "grpc" dict $server) $key -}}
{{- fail (printf "config.server.grpc.%s: the chart sets it; use the value tls instead" $key) -}}
{{- end -}}
{{- end -}}
{{- $certificate := include "stoker.certificate" . -}}
{{- with .Values.tls -}}
{{- if and $certificate (not .certManager.enabled) (not .secretName) -}}
{{- fail "tls.enabled, expander.enabled: set tls.certManager.enabled, or tls.secretName to a Secret with tls.crt, tls.key and ca.crt" -}}
{{- end -}}
{{- if or (and (not .enabled) (or .http .clientCa.secretName)) (and (not $certificate) .certManager.enabled) -}}
{{- fail "tls: http, certManager and clientCa do nothing until tls.enabled is true" -}}
{{- end -}}
{{- if and .certManager.enabled (not .certManager.issuerRef.name) -}}
{{- fail "tls.certManager.issuerRef.name: name the issuer" -}}
{{- end -}}
{{- end -}}
{{- if .Values.placeholders.create -}}
{{- $objects := dict -}}
{{- range $name, $told := include "stoker.headroom" . | fromJson -}}
{{- $object := printf "%s/%s" $told.namespace $told.name -}}
{{- if and (eq $told.mechanism "placeholder") (hasKey $objects $object) -}}
{{- fail (printf "config.policies.%s.capacity.name: %s is that of policy %s, too; set another" $name $object (get $objects $object)) -}}
{{- end -}}
{{- if eq $told.mechanism "placeholder" -}}{{- $_ := set $objects $object $name -}}{{- end -}}
{{- $allowed := dig "namespaces" (list "*") (index $config.policies $name) -}}
{{- if and (eq $told.mechanism "placeholder") (not (has "*" $allowed)) (not (has $told.namespace $allowed)) -}}
{{- fail (printf "config.policies.%s.capacity.namespace: the policy's namespaces do not allow %s, where its placeholders would be" $name $told.namespace) -}}
{{- end -}}
{{- if and (eq $told.mechanism "placeholder") $.Values.tls.enabled (not $.Values.placeholders.authentication) -}}
{{- fail (printf "placeholders.authentication: with tls.enabled, name a TriggerAuthentication with Stoker's CA in the namespace %s, or a ClusterTriggerAuthentication" $told.namespace) -}}
{{- end -}}
{{- if and (eq $told.mechanism "placeholder") (or (not (dig "executor" "cpu" "" $told)) (not (dig "executor" "memory" "" $told))) -}}
{{- fail (printf "config.policies.%s.capacity.executor: set cpu and memory, as big as a placeholder is to be; or placeholders.create: false, and apply what `stoker hints --format placeholder` prints" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.monitoring.podMonitor.enabled -}}
{{- fail "monitoring: serviceMonitor and podMonitor would scrape every pod twice; enable one" -}}
{{- end -}}
{{- end -}}
