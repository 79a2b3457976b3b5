import type {ChildProcess} from 'node:child_process'

/** Enough of a message to find the cause. */
const MOST_CHARACTERS = 4096

/** Returns the beginning of a program's standard error, after its end. */
export async function readComplaint(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stderr ?? []) if (text.length < MOST_CHARACTERS) text += String(chunk)
  return text
}
