// The runs of a day, in UTC.

export interface CalendarDay {
  date: string;
  success: number;
  failed: number;
  total: number;
  cancelled: number;
  running: number;
  pending: number;
}
