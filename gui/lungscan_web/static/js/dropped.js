// The files of a drop: those of a folder, too, in the order of their names.

const inOrder = (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true });

/** What was dropped; nothing of a folder that holds `more` than `most`: part of a series is no series. */
export async function filesOf(transfer, most) {
  const plain = [...transfer.files]; // to be taken at once: a drop is empty after its event
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return { files: plain, more: false };
  const found = [];
  for (const entry of entries) await take(entry, found, most);
  return found.length > most ? { files: [], more: true } : { files: found, more: false };
}

async function take(entry, found, most) {
  if (found.length > most) return;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push(Object.assign(file, { within: entry.fullPath.slice(1) })); // a series is known by its folder's name
    return;
  }
  const inside = (await listed(entry.createReader())).filter(({ name }) => !name.startsWith("."));
  for (const each of inside.sort(inOrder)) await take(each, found, most);
}

async function listed(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at once
    if (!some.length) return all;
    all.push(...some);
  }
}
