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

{{/* Namespaces in which Stoker looks for Spark drivers, as a JSON list. */}}
{{- define "stoker.sparkNamespaces" -}}
{{- $namespaces := .Values.rbac.sparkNamespaces -}}
{{- $connections := dig "connections" "spark" dict .Values.config -}}
{{- $discovering := list -}}
{{- range $name, $connection := $connections -}}
{{- if hasKey $connection "discover" -}}
{{- $discovering = append $discovering $name -}}
{{- $namespaces = concat $namespaces (dig "namespaces" list $connection) -}}
{{- end -}}
{{- end -}}
{{- range $policy := dig "policies" dict .Values.config -}}
{{- range $signal := dig "signals" dict $policy -}}
{{- $only := keys $connections | first -}}
{{- if and (eq (dig "type" "" $signal) "spark") (has (dig "connection" $only $signal) $discovering) (not (hasKey $signal "prometheus")) (hasKey $signal "namespace") -}}
{{- $namespaces = append $namespaces $signal.namespace -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $namespaces | uniq | sortAlpha | toJson -}}
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
apiVersion: stoker/v1
server:
  {{- dict "grpc" $grpc "http" $http "probes" (dict "listen" "0.0.0.0:8081") "peers" $peers | toYaml | nindent 2 }}
{{- end -}}

{{/* Mistakes that the schema cannot tell. */}}
{{- define "stoker.validate" -}}
{{- $server := dig "server" dict .Values.config -}}
{{- range $key := list "http" "probes" "peers" -}}
{{- if hasKey $server $key -}}
{{- fail (printf "config.server.%s: the chart sets it; use the values tls, tokens and adapter instead" $key) -}}
{{- end -}}
{{- end -}}
{{- range $key := list "listen" "tls" -}}
{{- if hasKey (dig "grpc" dict $server) $key -}}
{{- fail (printf "config.server.grpc.%s: the chart sets it; use the value tls instead" $key) -}}
{{- end -}}
{{- end -}}
{{- with .Values.tls -}}
{{- if and .enabled (not .certManager.enabled) (not .secretName) -}}
{{- fail "tls.enabled: set tls.certManager.enabled, or tls.secretName to a Secret with tls.crt, tls.key and ca.crt" -}}
{{- end -}}
{{- if and (not .enabled) (or .http .certManager.enabled .clientCa.secretName) -}}
{{- fail "tls: http, certManager and clientCa do nothing until tls.enabled is true" -}}
{{- end -}}
{{- if and .certManager.enabled (not .certManager.issuerRef.name) -}}
{{- fail "tls.certManager.issuerRef.name: name the issuer" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.monitoring.podMonitor.enabled -}}
{{- fail "monitoring: serviceMonitor and podMonitor would scrape every pod twice; enable one" -}}
{{- end -}}
{{- end -}}
