CREATE TYPE "staff_role" AS ENUM('owner', 'doctor', 'nurse', 'desk');
--> statement-breakpoint
CREATE TABLE "staff" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"email" varchar(255) NOT NULL,
	"full_name" text NOT NULL,
	"role" "staff_role" DEFAULT 'desk' NOT NULL,
	"active" boolean DEFAULT true NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "staff_email_unique" UNIQUE("email")
);
--> statement-breakpoint
CREATE TABLE "rooms" (
	"id" serial PRIMARY KEY NOT NULL,
	"code" varchar(16) NOT NULL,
	"floor" smallint DEFAULT 0 NOT NULL,
	"equipment" jsonb DEFAULT '[]'::jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "shifts" (
	"staff_id" uuid NOT NULL,
	"room_id" integer NOT NULL,
	"starts_at" timestamp with time zone NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	CONSTRAINT "shifts_staff_id_starts_at_pk" PRIMARY KEY("staff_id","starts_at"),
	CONSTRAINT "shifts_end" CHECK ("ends_at" > "starts_at")
);
--> statement-breakpoint
ALTER TABLE "shifts" ADD CONSTRAINT "shifts_staff_id_staff_id_fk" FOREIGN KEY ("staff_id") REFERENCES "staff"("id") ON DELETE cascade;
--> statement-breakpoint
ALTER TABLE "shifts" ADD CONSTRAINT "shifts_room_id_rooms_id_fk" FOREIGN KEY ("room_id") REFERENCES "rooms"("id");
--> statement-breakpoint
CREATE UNIQUE INDEX "rooms_code_idx" ON "rooms" USING btree ("code");
--> statement-breakpoint
CREATE INDEX "shifts_room_idx" ON "shifts" USING btree ("room_id","starts_at");
