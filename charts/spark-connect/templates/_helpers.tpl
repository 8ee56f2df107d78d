{{- define "spark-connect.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "spark-connect.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "spark-connect.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "spark-connect.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Never the version: a Deployment's selector cannot change. */}}
{{- define "spark-connect.selectorLabels" -}}
app.kubernetes.io/name: {{ include "spark-connect.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "spark-connect.labels" -}}
{{ include "spark-connect.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "spark-connect.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "spark-connect.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "spark-connect.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "spark-connect.priorityClassName" -}}
{{- if .Values.priorityClass.create -}}
{{- default (printf "%s-%s" .Release.Namespace (include "spark-connect.fullname" .)) .Values.priorityClass.name -}}
{{- else -}}
{{- .Values.priorityClass.name -}}
{{- end -}}
{{- end -}}

{{/* Whether event logs go to a folder of the pod: "true" or "". */}}
{{- define "spark-connect.logsInPod" -}}
{{- if and .Values.eventLog.enabled (not .Values.eventLog.dir) -}}true{{- end -}}
{{- end -}}

{{/*
spark-defaults.conf. Keys are sorted; sparkConf counts most. With useDriverPodIP, on by default since Spark 4.3, executors would
be told the address that the driver binds to, 0.0.0.0, and dial themselves; spark.driver.host is the pod's IP anyway.
*/}}
{{- define "spark-connect.properties" -}}
{{- $executor := .Values.connect.executor -}}
{{- $allocation := .Values.connect.dynamicAllocation -}}
{{- $conf := dict
  "spark.master" "k8s://https://kubernetes.default.svc"
  "spark.submit.deployMode" "client"
  "spark.kubernetes.namespace" .Release.Namespace
  "spark.kubernetes.container.image" (include "spark-connect.image" .)
  "spark.kubernetes.container.image.pullPolicy" .Values.image.pullPolicy
  "spark.kubernetes.authenticate.serviceAccountName" (include "spark-connect.serviceAccountName" .)
  "spark.kubernetes.authenticate.executor.serviceAccountName" (include "spark-connect.serviceAccountName" .)
  "spark.kubernetes.executor.podTemplateFile" "/etc/spark-connect/executor.yaml"
  "spark.driver.bindAddress" "0.0.0.0"
  "spark.kubernetes.executor.useDriverPodIP" "false"
  "spark.driver.port" "7078"
  "spark.driver.blockManager.port" "7079"
  "spark.ui.port" "4040"
  "spark.connect.grpc.binding.port" "15002"
  "spark.local.dir" "/tmp/spark"
  "spark.executor.cores" $executor.cores
  "spark.executor.memory" $executor.memory
  "spark.executor.memoryOverhead" $executor.memoryOverhead
  "spark.dynamicAllocation.enabled" $allocation.enabled
  "spark.eventLog.enabled" .Values.eventLog.enabled
  "spark.ui.prometheus.enabled" "true"
  "spark.metrics.namespace" (include "spark-connect.fullname" .)
  "spark.metrics.conf.*.sink.prometheusServlet.class" "org.apache.spark.metrics.sink.PrometheusServlet"
  "spark.metrics.conf.*.sink.prometheusServlet.path" "/metrics/prometheus"
-}}
{{- with .Values.image.pullSecrets -}}
{{- $names := list -}}
{{- range . -}}{{- $names = append $names .name -}}{{- end -}}
{{- $_ := set $conf "spark.kubernetes.container.image.pullSecrets" (join "," $names) -}}
{{- end -}}
{{- if $allocation.enabled -}}
{{- $_ := merge $conf (dict
  "spark.dynamicAllocation.shuffleTracking.enabled" "true"
  "spark.dynamicAllocation.minExecutors" $allocation.minExecutors
  "spark.dynamicAllocation.initialExecutors" $allocation.initialExecutors
  "spark.dynamicAllocation.maxExecutors" ($allocation.maxExecutors | int64)) -}}
{{- else -}}
{{- $_ := set $conf "spark.executor.instances" ($executor.instances | int64) -}}
{{- end -}}
{{- if .Values.eventLog.enabled -}}
{{- $_ := merge $conf (dict
  "spark.eventLog.dir" (.Values.eventLog.dir | default "file:/tmp/spark-events")
  "spark.eventLog.logStageExecutorMetrics" "true") -}}
{{- end -}}
{{- $conf = mergeOverwrite $conf .Values.connect.sparkConf -}}
{{- range $key := keys $conf | sortAlpha }}
{{ $key }} {{ get $conf $key }}
{{- end }}
{{- end -}}
