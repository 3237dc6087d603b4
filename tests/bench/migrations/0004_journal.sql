CREATE TABLE "journal" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"staff_id" uuid,
	"kind" varchar(40) NOT NULL,
	"what" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "notes" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"visit_id" uuid NOT NULL,
	"author_id" uuid,
	"text" text NOT NULL
);
--> statement-breakpoint
ALTER TABLE "journal" ADD CONSTRAINT "journal_staff_id_staff_id_fk" FOREIGN KEY ("staff_id") REFERENCES "staff"("id") ON DELETE set null;
--> statement-breakpoint
ALTER TABLE "notes" ADD CONSTRAINT "notes_visit_id_visits_id_fk" FOREIGN KEY ("visit_id") REFERENCES "visits"("id") ON DELETE cascade;
--> statement-breakpoint
ALTER TABLE "notes" ADD CONSTRAINT "notes_author_id_staff_id_fk" FOREIGN KEY ("author_id") REFERENCES "staff"("id");
--> statement-breakpoint
CREATE INDEX "journal_kind_idx" ON "journal" USING btree ("kind","at");
--> statement-breakpoint
CREATE INDEX "journal_staff_idx" ON "journal" USING btree ("staff_id");
--> statement-breakpoint
CREATE INDEX "notes_visit_idx" ON "notes" USING btree ("visit_id");
