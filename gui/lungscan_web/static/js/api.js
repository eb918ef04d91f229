// The server's side of the page. Whatever it refuses comes as `Refused`, in its own words.

import { Refused } from "./errors.js";

const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";
const LOST = "The server does not answer. Check that it still runs, then try again.";

function refusal(status, text) {
  try {
    const { code, message } = JSON.parse(text).error;
    if (code === "W_LOGIN") window.location.assign("/login");
    return new Refused(message, status);
  } catch {
    return new Refused(`The server answered with the number ${status} and no words.`, status);
  }
}

/** Ask for JSON. */
export async function ask(url, method = "GET") {
  let answer;
  try {
    answer = await fetch(url, { method, headers: method === "GET" ? {} : { "X-CSRF-Token": csrf } });
  } catch {
    throw new Refused(LOST);
  }
  const text = await answer.text();
  if (!answer.ok) throw refusal(answer.status, text);
  return text ? JSON.parse(text) : {};
}

/** The rows of a CSV file without quoted cells, as objects. */
export async function table(url) {
  const answer = await fetch(url).catch(() => {
    throw new Refused(LOST);
  });
  const text = await answer.text();
  if (!answer.ok) throw refusal(answer.status, text);
  const [head, ...lines] = text.replace(/^\ufeff/, "").trim().split(/\r?\n/);
  const names = head.split(",");
  return lines.map((line) => Object.fromEntries(line.split(",").map((cell, i) => [names[i], cell])));
}

/** Why an upload ended without an answer: a file that cannot be read, a server that is gone, or one that said nothing. */
async function whyBroken(files) {
  for (const file of files) {
    try {
      await file.slice(0, 1).arrayBuffer();
    } catch {
      return new Refused(`Your browser cannot read ${file.name}: it is a folder, or was moved or changed since it was chosen. Leave it out, or choose it again.`);
    }
  }
  await ask("/api/session"); // or it does not answer, which is said
  return new Refused("The upload was broken off. The files may be too many or too large for the server, or the connection was lost. Try again with fewer.");
}

/** Send files; `progress` hears the share that is sent. Gives a promise and a way to stop. */
export function send(files, fields, progress) {
  const request = new XMLHttpRequest();
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value) body.append(name, value);
  for (const file of files) body.append("file", file, file.within ?? file.name);
  const promise = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded, event.total);
    request.onload = () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText));
      else reject(refusal(request.status, request.responseText));
    };
    request.onerror = () => whyBroken(files).then(reject, reject);
    request.onabort = () => resolve(undefined);
  });
  request.open("POST", "/api/jobs");
  request.setRequestHeader("X-CSRF-Token", csrf);
  request.send(body);
  return { promise, stop: () => request.abort() };
}

/** Hear how a job goes on, until it ends; `onEnd` hears that nothing more comes. */
export function watch(job, onState, onLost, onEnd) {
  const source = new EventSource(`/api/jobs/${job}/events`);
  source.addEventListener("state", (event) => onState(JSON.parse(event.data)));
  source.addEventListener("end", () => {
    source.close();
    onEnd();
  });
  source.onerror = () => onLost(source.readyState === EventSource.CLOSED);
  return () => source.close();
}
