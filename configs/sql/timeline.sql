-- All that happened with a person, over all channels and vendors. A person is a phone number,
-- an e-mail address or an id of your own. An event is about the person if it has the phone
-- number, the e-mail address, your id or the vendor's id of a contact who has what you gave. So
-- are the other events of the call that such an event is about: some vendors name the contact
-- only when a call begins.
set variable person = '+12125550143';

with same as (
  select distinct
    source,
    data.contact.id as id,
    data.contact.phone as phone,
    lower(data.contact.email) as email,
    data.contact.external_id as external_id
  from once
  where getvariable('person') in (data.contact.phone, data.contact.external_id)
    or lower(getvariable('person')) = lower(data.contact.email)
),
theirs as (
  select source, id, data.call.id as call
  from once
  where data.contact.phone in (select phone from same)
    or lower(data.contact.email) in (select email from same)
    or data.contact.external_id in (select external_id from same)
    or (source, data.contact.id) in (select (source, id) from same where id is not null)
)
select
  happened_at,
  data.channel as channel,
  data.direction as direction,
  type,
  coalesce(data.message.text, data.email.subject, data.call.summary, data.call.outcome, data.subscription.topic) as what
from once
where (source, id) in (select (source, id) from theirs)
  or (source, data.call.id) in (select (source, call) from theirs where call is not null)
order by happened_at, source, id, deliveryid;
