-- What came or was written more than once: the vendor sent it again (another delivery), or
-- an output wrote it again (the same delivery).
select
  vendor,
  type,
  idbasis,
  count(*) as written,
  count(distinct (source, id)) as ids,
  count(distinct (source, id, deliveryid)) - ids as sent_again,
  written - count(distinct (source, id, deliveryid)) as written_again
from events
group by vendor, type, idbasis
having written > ids
order by vendor, type, idbasis;
