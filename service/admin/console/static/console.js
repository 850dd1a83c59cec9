// A comfort only: pointing at a time tells it in the reader's own zone. All pages work without this.
for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
}
