-- The events that configs/s3.yaml writes. For a bucket, put s3://hookswitch/ before the path.
--
-- The columns are written out, so that a query finds the fields that no event here has yet.
-- They are made from the event's fields: go test ./tests/sql -update writes them anew.
create or replace view events as
select * from read_json(
  'events/date=*/*.jsonl.gz',
  format = 'newline_delimited',
  hive_partitioning = false,
  maximum_object_size = 33554432,
  columns = {
    specversion: 'VARCHAR',
    id: 'VARCHAR',
    idbasis: 'VARCHAR',
    source: 'VARCHAR',
    type: 'VARCHAR',
    subject: 'VARCHAR',
    time: 'TIMESTAMPTZ',
    datacontenttype: 'VARCHAR',
    dataschema: 'VARCHAR',
    vendor: 'VARCHAR',
    vendorevent: 'VARCHAR',
    eventbasis: 'VARCHAR',
    recordedtime: 'TIMESTAMPTZ',
    deliveryid: 'VARCHAR',
    partitionkey: 'VARCHAR',
    data: 'STRUCT("channel" VARCHAR, "direction" VARCHAR, "contact" STRUCT("id" VARCHAR, "external_id" VARCHAR, "name" VARCHAR, "first_name" VARCHAR, "last_name" VARCHAR, "phone" VARCHAR, "phone_as_sent" VARCHAR, "email" VARCHAR, "title" VARCHAR, "company" VARCHAR, "location" STRUCT("city" VARCHAR, "region" VARCHAR, "postal_code" VARCHAR, "country" VARCHAR), "organizations" STRUCT("id" VARCHAR, "external_id" VARCHAR, "name" VARCHAR, "type" VARCHAR)[], "status" VARCHAR, "unsubscribed_at" TIMESTAMPTZ, "bounces" DOUBLE, "interest" VARCHAR, "appointment" BOOLEAN, "custom" STRUCT("name" VARCHAR, "value" VARCHAR)[]), "agent" STRUCT("id" VARCHAR, "name" VARCHAR, "email" VARCHAR), "account" STRUCT("id" VARCHAR, "name" VARCHAR, "time_zone" VARCHAR), "campaign" STRUCT("id" VARCHAR, "name" VARCHAR), "call" STRUCT("id" VARCHAR, "parent_id" VARCHAR, "session_id" VARCHAR, "started_at" TIMESTAMPTZ, "answered_at" TIMESTAMPTZ, "ended_at" TIMESTAMPTZ, "duration_seconds" DOUBLE, "answered" BOOLEAN, "voicemail" BOOLEAN, "outcome" VARCHAR, "disposition" VARCHAR, "our_number" VARCHAR, "tracker_id" VARCHAR, "tracker_name" VARCHAR, "url" VARCHAR, "destination_number" VARCHAR, "first_call" BOOLEAN, "prior_calls" DOUBLE, "total_calls" DOUBLE, "recording_url" VARCHAR, "recording_duration_seconds" DOUBLE, "transcription" VARCHAR, "summary" VARCHAR, "tags" VARCHAR[], "note" VARCHAR, "value" VARCHAR, "score" VARCHAR, "spam" BOOLEAN, "keywords_spotted" VARCHAR[], "highlights" VARCHAR[]), "message" STRUCT("id" VARCHAR, "from" VARCHAR, "to" VARCHAR, "text" VARCHAR, "content_type" VARCHAR, "media" STRUCT("id" VARCHAR, "url" VARCHAR, "type" VARCHAR, "name" VARCHAR)[], "sent_at" TIMESTAMPTZ, "reply_to_id" VARCHAR, "conversation_id" VARCHAR, "status_code" VARCHAR, "status_text" VARCHAR, "status_detail" VARCHAR, "place" STRUCT("latitude" DOUBLE, "longitude" DOUBLE, "name" VARCHAR, "address" VARCHAR, "url" VARCHAR), "choice_id" VARCHAR, "segments" DOUBLE, "cost" STRUCT("amount" VARCHAR, "currency" VARCHAR), "status_candidates" VARCHAR[]), "email" STRUCT("id" VARCHAR, "message_id" VARCHAR, "from" VARCHAR, "to" VARCHAR, "subject" VARCHAR, "body" VARCHAR, "attachments" STRUCT("url" VARCHAR, "type" VARCHAR, "name" VARCHAR)[], "sent_at" TIMESTAMPTZ, "reply_to_id" VARCHAR, "link_url" VARCHAR, "failure" VARCHAR, "status_code" VARCHAR, "status_text" VARCHAR, "status_detail" VARCHAR, "tags" VARCHAR[], "metadata" STRUCT("name" VARCHAR, "value" VARCHAR)[]), "conversation" STRUCT("id" VARCHAR, "subject" VARCHAR, "status" VARCHAR, "created_at" TIMESTAMPTZ, "last_message_at" TIMESTAMPTZ), "subscription" STRUCT("id" VARCHAR, "channel" VARCHAR, "topic" VARCHAR, "organization" STRUCT("id" VARCHAR, "external_id" VARCHAR, "name" VARCHAR, "type" VARCHAR), "subscribed" BOOLEAN), "form" STRUCT("id" VARCHAR, "url" VARCHAR, "submitted_at" TIMESTAMPTZ, "first_form" BOOLEAN, "fields" STRUCT("name" VARCHAR, "value" VARCHAR)[]), "survey" STRUCT("id" VARCHAR, "question_id" VARCHAR, "question" VARCHAR, "answer_id" VARCHAR, "answer" VARCHAR, "answered_at" TIMESTAMPTZ)[], "lead_status" VARCHAR, "client" STRUCT("ip_address" VARCHAR, "user_agent" VARCHAR, "name" VARCHAR, "os" VARCHAR, "device" VARCHAR, "automatic" BOOLEAN), "reference" VARCHAR, "changes" VARCHAR[], "attribution" STRUCT("source" VARCHAR, "medium" VARCHAR, "campaign" VARCHAR, "keywords" VARCHAR, "landing_page_url" VARCHAR, "referrer_url" VARCHAR, "utm_source" VARCHAR, "utm_medium" VARCHAR, "utm_campaign" VARCHAR, "utm_term" VARCHAR, "utm_content" VARCHAR, "gclid" VARCHAR, "fbclid" VARCHAR, "msclkid" VARCHAR, "ctwa_clid" VARCHAR, "ad_id" VARCHAR, "device" VARCHAR, "session_id" VARCHAR, "milestones" STRUCT("name" VARCHAR, "event_at" TIMESTAMPTZ, "source" VARCHAR, "medium" VARCHAR, "campaign" VARCHAR, "keywords" VARCHAR, "landing_page_url" VARCHAR, "referrer_url" VARCHAR)[]), "issues" STRUCT("field" VARCHAR, "reason" VARCHAR)[], "raw" VARCHAR)'
  }
);
