-- How much was sent and how much came back, by campaign.
select
  source,
  data.campaign.id as campaign_id,
  any_value(data.campaign.name) as campaign,
  data.channel as channel,
  count(*) filter (type in ('email.sent', 'message.sent')) as sent,
  count(*) filter (type in ('email.replied', 'message.received')) as replies
from once
where type in ('email.sent', 'message.sent', 'email.replied', 'message.received') and data.campaign.id is not null
group by source, campaign_id, channel
order by replies desc, source, campaign_id, channel;
