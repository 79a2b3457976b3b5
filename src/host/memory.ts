/**
 * Bytes that can be had without anything else being swapped out: of the machine, or of the control group this runs in.
 *
 * @see proc_meminfo(5) MemAvailable
 */
export function availableMemory(): number {
  return process.availableMemory()
}
