-- The delivery rate of texts a day. A message counts once, with the last outcome that a report
-- tells; an outcome that cannot be told is no failure, and takes no other's place. A message
-- that was read was delivered.
with outcomes as (
  select
    source,
    coalesce(data.message.id || ' ' || coalesce(data.message.to, ''), id) as message,
    cast(min(happened_at) as date) as day,
    last(type order by type <> 'message.status_unknown', happened_at, recordedtime) as type
  from once
  where type in ('message.delivered', 'message.read', 'message.failed', 'message.bounced', 'message.rejected', 'message.status_unknown')
    and data.channel in ('sms', 'whatsapp', 'text')
  group by source, message
)
select
  day,
  count(*) filter (type in ('message.delivered', 'message.read')) as delivered,
  count(*) filter (type in ('message.failed', 'message.bounced', 'message.rejected')) as failed,
  count(*) filter (type = 'message.status_unknown') as unknown,
  round(delivered / nullif(delivered + failed, 0), 3) as rate
from outcomes
group by day
order by day;
