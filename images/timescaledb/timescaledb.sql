-- Read into template1, so that every database made later has it too.
CREATE EXTENSION IF NOT EXISTS timescaledb;
-- The extension schedules this job in every edition, but under the Apache licence it only fails.
UPDATE _timescaledb_config.bgw_job
   SET scheduled = false
 WHERE proc_name = 'policy_job_stat_history_retention'
   AND current_setting('timescaledb.license') = 'apache';
