import type {ChildProcess} from 'node:child_process'

/** Enough of a message to find out what went wrong. */
const MOST_CHARACTERS = 4096

/** The beginning of what a program said on its standard error, once it says no more. */
export async function readComplaint(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stderr ?? []) if (text.length < MOST_CHARACTERS) text += String(chunk)
  return text
}
