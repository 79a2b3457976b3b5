/** Lets new files have exactly the modes that are asked for. For a program of its own: a process has one umask. */
export function openUmask(): void {
  process.umask(0)
}

/** Whether new files get the modes they are asked for. Sets the umask and sets it back: no thread may make files. */
export function isUmaskOpen(): boolean {
  const umask = process.umask(0)
  process.umask(umask)
  return umask === 0
}
