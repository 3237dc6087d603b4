CREATE TABLE "labels" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" varchar(64) NOT NULL,
	"colour" char(7) DEFAULT '#808080' NOT NULL
);
--> statement-breakpoint
ALTER TABLE "patients" ADD COLUMN "label_id" uuid;
--> statement-breakpoint
ALTER TABLE "patients" ADD CONSTRAINT "patients_label_id_labels_id_fk" FOREIGN KEY ("label_id") REFERENCES "labels"("id") ON DELETE set null;
