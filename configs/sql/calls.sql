-- The state of each call now. The events of a call may come twice and out of order; what a
-- later stage says holds, and among changes the last one received. A field that is named in
-- changes and absent is now empty. A vendor that tells the direction only when a call begins, and
-- the answer only when it is given, has no outcome at the end: it follows from the earlier stages.
--
-- The query asks the view events: an event that came twice changes nothing here, but a call
-- that is tagged, untagged and tagged again has two equal events, and both of them count.
with stages as (
  select
    *,
    list_position(['call.started', 'call.ringing', 'call.routed', 'call.answered', 'call.completed', 'call.updated'], type) as stage
  from events
  where stage is not null and data.call.id is not null
)
select
  source,
  data.call.id as call,
  last(type order by stage, recordedtime) as state,
  min(data.call.started_at) as started_at,
  coalesce(
    last(data.call.outcome order by stage, recordedtime) filter (data.call.outcome is not null),
    case
      when not bool_or(type = 'call.completed') then null
      when bool_or(data.call.answered) then 'answered'
      when not bool_or(data.call.answered) and bool_or(data.direction = 'inbound') then 'missed'
      when not bool_or(data.call.answered) and bool_or(data.direction = 'outbound') then 'unanswered'
    end
  ) as outcome,
  last(data.call.duration_seconds order by stage, recordedtime) filter (data.call.duration_seconds is not null) as seconds,
  last(data.call.value order by stage, recordedtime) filter (data.call.value is not null or list_contains(data.changes, 'value')) as value,
  last(data.call.tags order by stage, recordedtime) filter (len(data.call.tags) > 0 or list_contains(data.changes, 'tags')) as tags,
  last(data.call.note order by stage, recordedtime) filter (data.call.note is not null or list_contains(data.changes, 'note')) as note
from stages
group by source, call
order by source, call;
