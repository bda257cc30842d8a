-- Every event once, with the time that is known of it in the column happened_at: the vendor's,
-- else that of the receipt. Where a query counts, it asks this view.
--
-- A delivery is written at least once, so the same delivery may be there twice. A vendor
-- sends again what it believes lost, and the event then has the same id. Where idbasis is
-- natural, an equal id is the same occurrence. Where it is content, an equal id is only
-- equal content: it counts as the same within three days, and never where somebody
-- unsubscribes, because two equal ones may both be true.
--
-- Days are those of UTC. For days of your own, set another time zone behind this file.
set TimeZone = 'UTC';

create or replace view once as
-- What was written twice goes first. Copies have the same time, so two windows in one step
-- could each keep another copy, and no copy would pass both.
with deliveries as (
  select * from events
  qualify row_number() over (partition by source, id, deliveryid) = 1
)
select *, coalesce(time, recordedtime) as happened_at
from deliveries
qualify case
  when idbasis = 'natural' then
    row_number() over (partition by source, id order by recordedtime) = 1
  when type = 'contact.unsubscribed' then
    true
  else
    coalesce(recordedtime - lag(recordedtime) over (partition by source, id order by recordedtime) > interval 3 days, true)
  end;
