#!/usr/bin/perl
# Prints logs: those of programs on the host, and inside of an environment those of its supervisor of services.
#
# usage: show-logs.pl SINCE FOLLOW FILE...
#   SINCE   lines of that time and later, as the lines have it; empty for all
#   FOLLOW  1: waits for more lines, until a signal
#   FILE    a log; FILE.1 has the lines before. With several, each line is printed with the name of its file
#
# A line is TIME and text, with ">" before output of a program and "#" before a message about it; others are printed as they are.
use v5.12;
use warnings;

my $POLL_SECONDS = 0.2;
# Before Perl 5.30, no quantifier may be larger.
my $MAX_LINE_BYTES = 32_766;

my ($since, $follows, @files) = @ARGV;
my $is_terminal = -t STDOUT;
my $parent = getppid;
$| = 1;
my @logs = map { {path => $_, name => m{([^/]*?)(?:\.log)?\z}, rest => '', time => ''} } @files;
my @lines;
for my $log (@logs) {
  push @lines, lines_of($log, $log->{handle}) if open_log($log, "$log->{path}.1");
  push @lines, lines_of($log, $log->{handle}) if open_log($log, $log->{path});
}
show(sort { $a->{time} cmp $b->{time} } @lines);
print STDERR "envs: Nothing was logged.\n" unless $follows || grep { $_->{handle} } @logs;
while ($follows && getppid == $parent) {
  select undef, undef, undef, $POLL_SECONDS;
  for my $log (@logs) {
    show(lines_of($log, $log->{handle})) if $log->{handle};
    # The file was renamed to FILE.1, and another one begun.
    my @new = stat $log->{path} or next;
    my @old = $log->{handle} ? stat $log->{handle} : ();
    show(lines_of($log, $log->{handle})) if (!@old || $old[1] != $new[1]) && open_log($log, $log->{path});
  }
}
show(map { {log => $_, text => $_->{rest}, time => $_->{time}} } grep { length $_->{rest} } @logs);

sub open_log {
  my ($log, $path) = @_;
  open(my $handle, '<', $path) or return 0;
  return 0 unless -f $handle;
  $log->{handle} = $handle;
  return 1;
}

# Returns the lines that are complete. A line without a time has that of the line before.
sub lines_of {
  my ($log, $handle) = @_;
  my @found;
  while (sysread $handle, $log->{rest}, 65536, length $log->{rest}) {
    while ($log->{rest} =~ s/^([^\n]{$MAX_LINE_BYTES}|[^\n]*\n)//) {
      chomp(my $text = $1);
      $log->{time} = $1 if $text =~ /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) /;
      push @found, {log => $log, text => $text, time => $log->{time}};
    }
  }
  return @found;
}

sub show {
  for my $line (@_) {
    next if length $since && $line->{time} lt $since;
    my $text = $line->{text} =~ s/^(\S{20}) > /$1 /r =~ s/^(\S{20}) # (.*)/$1 -- $2 --/sr;
    $text =~ s/([\x00-\x08\x0b-\x1f\x7f])/sprintf '\\x%02x', ord $1/ge if $is_terminal;
    print @logs > 1 ? "$line->{log}{name}: " : '', $text, "\n" or exit 1;
  }
}
