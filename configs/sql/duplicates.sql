-- What came or was written more than once: the vendor sent it again (another delivery), or
-- an output wrote it again (the same delivery).
select
  vendor,
  type,
  idbasis,
  count(*) as events,
  count(distinct (source, id)) as ids,
  count(distinct (source, id, deliveryid)) - ids as sent_again,
  events - count(distinct (source, id, deliveryid)) as written_again
from events
group by vendor, type, idbasis
having events > ids
order by vendor, type, idbasis;
