import {createInterface, type Interface} from 'node:readline/promises'
import {confirmationNeededError, declinedError} from './errors.js'
import {escapeText, tolerateClosedStreams} from './output.js'

/**
 * Asks on standard error and reads the answer from standard input; anything but yes is a no.
 *
 * @param signal - Ends the question; Ctrl-C at it is sent to this process as SIGINT.
 * @throws {@link confirmationNeededError} When either is no terminal, or `canAsk` is false.
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
    // In raw mode readline gets Ctrl-C as a key: hand it on as the signal it stands for.
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

/** Ctrl-D closes the interface, and leaves the question pending and the cursor behind it. */
function endOfInput(terminal: Interface): Promise<string> {
  return new Promise((resolve) => {
    terminal.once('close', () => {
      process.stderr.write('\n')
      resolve('')
    })
  })
}
