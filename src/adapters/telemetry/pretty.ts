/** A JSON log line as a person reads it: `12:34:56.789 WARN  message key=value`, the stack of an error below. */
export function prettyLine(json: string): string {
  const line = JSON.parse(json) as Record<string, unknown>;
  const { time, level, message, error } = line;
  const parts = [String(time).slice(11, 23), String(level).toUpperCase().padEnd(5), oneLine(String(message))];
  for (const [key, value] of Object.entries(line)) if (!APART.has(key)) parts.push(`${key}=${valueText(value)}`);
  if (error !== undefined) parts.push(`error=${valueText((error as { message?: unknown }).message ?? error)}`);
  const stack = (error as { stack?: string } | undefined)?.stack;
  return `${parts.join(' ')}\n${stack ? `${printable(stack)}\n` : ''}`;
}

/** Written in their own way, or of no use to a person. */
const APART = new Set(['time', 'level', 'message', 'error', 'service', 'trace_id', 'span_id']);

function valueText(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
}

/** A message from outside must not end the line, nor drive the terminal. */
function oneLine(text: string): string {
  return printable(text).replaceAll('\n', ' ');
}

function printable(text: string): string {
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, ' ');
}
