-- The first source of each caller: that of the earliest touch that a vendor tells of, be it
-- a milestone or a call.
with calls as (
  select coalesce(data.call.started_at, happened_at) as happened_at, data.contact.phone as phone, data.attribution as attribution
  from once
  where starts_with(type, 'call.') and data.contact.phone is not null
),
touches as (
  select phone, happened_at, attribution.source as source from calls
  union all
  select phone, milestone.event_at, milestone.source
  from (select phone, unnest(attribution.milestones) as milestone from calls)
)
select phone, min(happened_at) as first_touch, arg_min(source, happened_at) as first_source
from touches
where source is not null and happened_at is not null
group by phone
order by phone;
