-- Missed calls a day and tracking number: nobody answered, and the caller left no voicemail. A
-- vendor that tells the direction only when a call begins does not say at its end that it was
-- missed: such a call is missed if nobody answered and it has begun as an inbound one.
with begun as (
  select
    source,
    data.call.id as call,
    any_value(data.call.our_number) as our_number
  from once
  where type = 'call.started' and data.direction = 'inbound' and data.call.id is not null
  group by source, call
)
select
  cast(happened_at as date) as day,
  coalesce(data.call.our_number, begun.our_number) as our_number,
  any_value(data.call.tracker_name) as tracker_name,
  count(*) as missed
from once left join begun on once.source = begun.source and data.call.id = begun.call
where type = 'call.completed'
  and (
    data.call.outcome in ('missed', 'abandoned')
    or data.call.outcome is null and data.direction is null and not data.call.answered and begun.call is not null
  )
group by all
order by day, our_number;
