/** Server-sent events out of chunks of bytes, however they are cut (WHATWG HTML, section 9.2). */

export interface ServerEvent {
  id: string | undefined;
  event: string;
  data: string;
}

/** Yields whole events; what stands behind the last blank line is dropped, as it is not whole. */
export async function* readEvents(
  chunks: AsyncIterable<Buffer>,
  onActivity: () => void,
): AsyncGenerator<ServerEvent, void, void> {
  const decoder = new TextDecoder("utf-8");
  let rest = "";
  let afterCr = false;
  let fields = newFields();
  for await (const chunk of chunks) {
    onActivity();
    let text = decoder.decode(chunk, { stream: true });
    if (text === "") continue;
    if (afterCr && text.startsWith("\n")) text = text.slice(1); // the other half of a CR LF
    afterCr = text === "" ? false : text.endsWith("\r");
    const lines = (rest + text).split(/\r\n|\n|\r/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line !== "") {
        addField(fields, line);
        continue;
      }
      if (fields.data.length > 0)
        yield { id: fields.id, event: fields.event, data: fields.data.join("\n") };
      fields = newFields();
    }
  }
}

interface Fields {
  id: string | undefined;
  event: string;
  data: string[];
}

function newFields(): Fields {
  return { id: undefined, event: "message", data: [] };
}

function addField(fields: Fields, line: string): void {
  const colon = line.indexOf(":");
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
  if (name === "data") fields.data.push(value);
  else if (name === "event") fields.event = value;
  else if (name === "id" && !value.includes("\0")) fields.id = value;
}
