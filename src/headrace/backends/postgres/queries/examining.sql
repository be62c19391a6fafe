-- name: select_time
-- What time it is, in microseconds.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: select_right
-- Whether the schema may be made, or changed where it is there.
SELECT coalesce(
    (
        SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'headrace'
    ),
    has_database_privilege(current_database(), 'CREATE')
);

-- name: select_room
-- How many connections more there may be; who is no superuser is kept out of the last few.
SELECT
    current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int
    - (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend');

-- name: notify_doctor
-- To oneself.
SELECT pg_notify('headrace_doctor', '');
