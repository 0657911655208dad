-- No version reads or writes this table: the keys of the service are files.
DROP TABLE secrets;
