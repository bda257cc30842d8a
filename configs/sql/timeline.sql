-- All that happened with a person, over all channels and vendors. A person is a phone number,
-- an e-mail address or an id of your own; whoever shares one of them with the person is the
-- same person.
set variable person = '+12125550143';

with same as (
  select distinct data.contact.phone as phone, lower(data.contact.email) as email, data.contact.external_id as external_id
  from once
  where getvariable('person') in (data.contact.phone, lower(data.contact.email), data.contact.external_id)
)
select
  happened_at,
  data.channel as channel,
  data.direction as direction,
  type,
  coalesce(data.message.text, data.email.subject, data.call.summary, data.call.outcome, data.subscription.topic) as what
from once
where data.contact.phone in (select phone from same)
  or lower(data.contact.email) in (select email from same)
  or data.contact.external_id in (select external_id from same)
order by happened_at, id;
