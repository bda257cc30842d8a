-- What we did not know: native events for which there is no type yet. All that the vendor
-- sent is in data.raw.
select
  vendor,
  type,
  vendorevent,
  count(*) as events,
  min(recordedtime) as first_received,
  max(recordedtime) as last_received
from once
where dataschema = 'urn:hookswitch:vendor:1'
group by vendor, type, vendorevent
order by count(*) desc, vendor, type, vendorevent;
