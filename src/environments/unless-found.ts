/**
 * Makes what is being looked for, and makes it meanwhile. For where both take long and little of what is looked for is there:
 * an archive has to be read to know which it is, and work is lost only where the same bytes were unpacked from another file.
 *
 * @param signal - Ends the making, and with it the waiting for what is looked for.
 * @param make - Leaves nothing behind when its signal is aborted.
 * @throws As `finding`, which knows more of what is wrong, else as `make`.
 */
export async function unlessFound<T>(
  finding: Promise<T | undefined>,
  signal: AbortSignal,
  make: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const inVain = new AbortController()
  const making = make(AbortSignal.any([signal, inVain.signal]))
  const found = making.then(
    () => finding,
    (error: unknown) => (signal.aborted ? Promise.reject(error) : finding),
  )
  try {
    return (await Promise.race([finding, found])) ?? (await making)
  } finally {
    inVain.abort()
    await found.catch(() => {})
  }
}
