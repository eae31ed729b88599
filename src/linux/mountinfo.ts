/**
 * The table of mounts as text: proc_pid_mountinfo(5).
 */

/** Octal escapes of spaces and the like: proc_pid_mountinfo(5). */
export function unescapeField(field: string): string {
  return !field.includes("\\")
    ? field
    : field.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
