import {createInterface, type Interface} from 'node:readline/promises'
import {confirmationNeededError, declinedError} from './errors.js'
import {escapeText, tolerateClosedStreams} from './output.js'

/**
 * Asks a question on standard error, and reads the answer from standard input; any answer but yes is a no.
 *
 * @param signal - Aborts the question; Ctrl-C is sent to this process as SIGINT.
 * @throws {@link confirmationNeededError} If one of the streams is not a terminal, or `canAsk` is false.
 * @throws {@link declinedError}
 */
export async function askYesNo(
  question: string,
  {canAsk, signal}: {canAsk: boolean; signal: AbortSignal},
): Promise<void> {
  if (!canAsk || !process.stdin.isTTY || !process.stderr.isTTY) throw confirmationNeededError({question})
  tolerateClosedStreams()
  const terminal = createInterface({input: process.stdin, output: process.stderr})
  try {
    // In raw mode readline receives Ctrl-C as a key: send the signal.
    terminal.once('SIGINT', () => process.kill(process.pid, 'SIGINT'))
    const answer = await Promise.race([
      terminal.question(`${escapeText(question)} [y/N] `, {signal}),
      endOfInput(terminal),
    ])
    if (!/^y(es)?$/i.test(answer.trim())) throw declinedError()
  } finally {
    terminal.removeAllListeners('close')
    terminal.close()
  }
}

/** Resolves on Ctrl-D, which closes the interface without an answer and without a line end. */
function endOfInput(terminal: Interface): Promise<string> {
  return new Promise((resolve) => {
    terminal.once('close', () => {
      process.stderr.write('\n')
      resolve('')
    })
  })
}
