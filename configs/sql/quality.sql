-- What could not be read, and how often: for each field the share of the type's events.
with counts as (
  select source, type, count(*) as events from once group by source, type
),
issues as (
  select source, type, unnest(data.issues) as issue from once
)
select
  issues.source,
  issues.type,
  issue.field,
  issue.reason,
  count(*) as times,
  round(count(*) / any_value(events), 3) as share
from issues join counts on issues.source = counts.source and issues.type = counts.type
group by issues.source, issues.type, issue.field, issue.reason
order by times desc, issues.source, issues.type, issue.field, issue.reason;
