-- Missed calls a day and tracking number: nobody answered, and the caller left no voicemail.
select
  cast(happened_at as date) as day,
  data.call.our_number as our_number,
  any_value(data.call.tracker_name) as tracker_name,
  count(*) as missed
from once
where type = 'call.completed' and data.call.outcome in ('missed', 'abandoned')
group by day, our_number
order by day, our_number;
