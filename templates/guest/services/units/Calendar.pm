# Times of OnCalendar=: "daily", "Mon..Fri 8:00", "*-*-1,15 12:00:00", "*:0/15". See systemd.time(7), "Calendar Events".
package Calendar;
use v5.12;
use warnings;
use POSIX ();

my %SHORT = (
  minutely => '*-*-* *:*:00', hourly => '*-*-* *:00:00', daily => '*-*-* 00:00:00', weekly => 'Mon *-*-* 00:00:00',
  monthly => '*-*-01 00:00:00', quarterly => '*-01,04,07,10-01 00:00:00', semiannually => '*-01,07-01 00:00:00',
  yearly => '*-01-01 00:00:00', annually => '*-01-01 00:00:00', 'semi-annually' => '*-01,07-01 00:00:00', 'bi-annually' => '*-01,07-01 00:00:00',
);
my %DAY = (sun => 0, mon => 1, tue => 2, wed => 3, thu => 4, fri => 5, sat => 6);
# A 29th of February that is a Sunday comes every 28 years.
my $MOST_DAYS = 366 * 28;
my %RANGE = (year => [1970, 2199], month => [1, 12], day => [1, 31], hour => [0, 23], minute => [0, 59], second => [0, 59]);

# Returns the first time after $since, in seconds of the calendar's clock; undef if there is none, or for text that is no such time.
sub next_time {
  my ($text, $since) = @_;
  my $when = parse($text) // return;
  my ($second, $minute, $hour, $day, $month, $year) = $when->{is_utc} ? gmtime($since + 1) : localtime($since + 1);
  my @from = ($hour, $minute, $second);
  for my $offset (0 .. $MOST_DAYS) {
    my @date = gmtime(days_from($year + 1900, $month + 1, $day) * 86_400 + $offset * 86_400);
    if (is_day($when, @date)) {
      my @time = first_time($when, $offset == 0 ? @from : (0, 0, 0));
      if (@time) {
        my $found = at($when, $date[5], $date[4], $date[3], @time);
        return $found if defined $found && $found > $since;
      }
    }
  }
  return;
}

sub parse {
  my ($text) = @_;
  my $rest = $SHORT{lc $text} // $text;
  my %when = (is_utc => $rest =~ s/\s+UTC$// ? 1 : 0);
  if ($rest =~ s/^\s*([A-Za-z][A-Za-z.,\s]*?)(?:\s+|$)(?=[*\d]|$)//) { $when{weekday} = weekdays($1) // return }
  my ($date, $time) = $rest =~ /^\s*(?:([^\s:]+)(?:\s+|$))?(\S*:\S*)?\s*$/ or return;
  my @date = defined $date ? split /-/, $date, 3 : ('*', '*', '*');
  unshift @date, '*' while @date < 3;
  my @time = defined $time ? split /:/, $time : (0, 0, 0);
  push @time, 0 while @time < 3;
  my %part;
  @part{qw(year month day hour minute second)} = (@date, @time);
  for my $name (keys %part) { $when{$name} = numbers($part{$name}, @{$RANGE{$name}}) // return }
  return \%when;
}

sub weekdays {
  my ($text) = @_;
  my %found;
  for my $part (grep { length } split /[\s,]+/, lc $text) {
    my ($first, $last) = map { $DAY{substr $_, 0, 3} } split /\.\.|-/, $part;
    return unless defined $first;
    my $end = $last // $first;
    for (my $day = $first; ; $day = ($day + 1) % 7) {
      $found{$day} = 1;
      last if $day == $end;
    }
  }
  return \%found;
}

# "*", "5", "1..5", "0/15", "10..40/5", and lists of these. Parts of a second are left out.
sub numbers {
  my ($text, $least, $most) = @_;
  return {any => 1} if $text eq '*';
  my %found;
  for my $part (split /,/, $text) {
    my ($first, $last, $step) = $part =~ /^(\*|\d+)(?:\.\d*)?(?:\.\.(\d+))?(?:\/(\d+)(?:\.\d*)?)?$/ or return;
    my $from = $first eq '*' ? $least : $first + 0;
    $from += 2000 if $most > 2000 && $from < 70;
    my $to = $last // (defined $step || $first eq '*' ? $most : $from);
    return if defined $step && $step < 1;
    for (my $number = $from; $number <= $to && $number <= $most; $number += $step // 1) { $found{$number} = 1 }
  }
  return \%found;
}

sub allows { return $_[0]{any} || $_[0]{$_[1]} }

# @param @date - as gmtime() returns it.
sub is_day {
  my ($when, @date) = @_;
  return allows($when->{year}, $date[5] + 1900) && allows($when->{month}, $date[4] + 1) && allows($when->{day}, $date[3])
    && (!$when->{weekday} || $when->{weekday}{$date[6]});
}

# Returns the first hour, minute and second at or after the given ones.
sub first_time {
  my ($when, $hour, $minute, $second) = @_;
  for my $h (grep { allows($when->{hour}, $_) } $hour .. 23) {
    for my $m (grep { allows($when->{minute}, $_) } ($h == $hour ? $minute : 0) .. 59) {
      my ($s) = grep { allows($when->{second}, $_) } ($h == $hour && $m == $minute ? $second : 0) .. 59;
      return ($h, $m, $s) if defined $s;
    }
  }
  return;
}

sub at {
  my ($when, $year, $month, $day, $hour, $minute, $second) = @_;
  return days_from($year + 1900, $month + 1, $day) * 86_400 + $hour * 3600 + $minute * 60 + $second if $when->{is_utc};
  return POSIX::mktime($second, $minute, $hour, $day, $month, $year, 0, 0, -1);
}

# Days since 1970-01-01, by the Gregorian calendar.
sub days_from {
  my ($year, $month, $day) = @_;
  $year-- if $month <= 2;
  my $era = POSIX::floor($year / 400);
  my $of_era = $year - $era * 400;
  my $of_year = POSIX::floor((153 * ($month + ($month > 2 ? -3 : 9)) + 2) / 5) + $day - 1;
  return $era * 146_097 + $of_era * 365 + POSIX::floor($of_era / 4) - POSIX::floor($of_era / 100) + $of_year - 719_468;
}

1;
