CREATE TABLE "patients" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"family_name" text NOT NULL,
	"given_name" text NOT NULL,
	"born_on" date,
	"phone" varchar(32),
	"consent" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "visits" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"patient_id" uuid NOT NULL,
	"doctor_id" uuid,
	"room_id" integer,
	"reason" text,
	"urgency" smallint DEFAULT 0 NOT NULL,
	"starts_at" timestamp with time zone NOT NULL,
	"closed_at" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "visits" ADD CONSTRAINT "visits_patient_id_patients_id_fk" FOREIGN KEY ("patient_id") REFERENCES "patients"("id") ON DELETE cascade;
--> statement-breakpoint
ALTER TABLE "visits" ADD CONSTRAINT "visits_doctor_id_staff_id_fk" FOREIGN KEY ("doctor_id") REFERENCES "staff"("id") ON DELETE set null;
--> statement-breakpoint
ALTER TABLE "visits" ADD CONSTRAINT "visits_room_id_rooms_id_fk" FOREIGN KEY ("room_id") REFERENCES "rooms"("id");
--> statement-breakpoint
CREATE INDEX "patients_name_idx" ON "patients" USING btree ("family_name","given_name");
--> statement-breakpoint
CREATE INDEX "patients_phone_idx" ON "patients" USING btree ("phone") WHERE "phone" IS NOT NULL;
--> statement-breakpoint
CREATE INDEX "visits_patient_idx" ON "visits" USING btree ("patient_id","starts_at" DESC);
--> statement-breakpoint
CREATE INDEX "visits_doctor_idx" ON "visits" USING btree ("doctor_id");
--> statement-breakpoint
CREATE INDEX "visits_open_idx" ON "visits" USING btree ("starts_at") WHERE "closed_at" IS NULL;
