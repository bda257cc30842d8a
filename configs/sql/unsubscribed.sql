-- Everyone who unsubscribed, from what and when.
select
  happened_at,
  coalesce(data.contact.phone, data.contact.email, data.contact.external_id, data.contact.id) as who,
  data.contact.name as name,
  data.subscription.channel as channel,
  data.subscription.topic as topic,
  data.subscription.organization.name as organization
from once
where type = 'contact.unsubscribed'
order by happened_at, who, source, id, deliveryid;
