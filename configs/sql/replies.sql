-- How much was sent and how much came back, by campaign. A message or e-mail counts once,
-- however many of its states a vendor tells.
select
  source,
  data.campaign.id as campaign_id,
  any_value(data.campaign.name) as campaign,
  data.channel as channel,
  count(distinct coalesce(data.email.id || ' ' || coalesce(data.contact.email, ''), data.message.id, id)) filter (
    type in ('email.accepted', 'email.sent', 'email.delivered', 'message.queued', 'message.sent', 'message.delivered')
  ) as sent,
  count(*) filter (type in ('email.replied', 'message.received')) as replies
from once
where data.campaign.id is not null
  and type in (
    'email.accepted', 'email.sent', 'email.delivered', 'email.replied',
    'message.queued', 'message.sent', 'message.delivered', 'message.received'
  )
group by source, campaign_id, channel
order by replies desc, source, campaign_id, channel;
