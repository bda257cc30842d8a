-- The events that configs/lake.yaml writes. For a bucket, put s3://hookswitch/ before the path.
create or replace view events as
select * from read_parquet('events/date=*/*.parquet', union_by_name = true, hive_partitioning = false);
