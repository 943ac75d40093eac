package endpoint

import "testing"

// Every time falls into the one bucket that begins where the last ends, and is at most a quarter shorter than its end.
func TestBuckets(t *testing.T) {
	last := -1
	for _, ns := range []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 100, 1000, 1023, 1024, 1279, 1280, 123_456, 1 << 39, 1<<40 - 1} {
		i := bucket(ns)
		if i < last {
			t.Errorf("%d ns is in bucket %d, and less in %d", ns, i, last)
		}
		last = i
		start := int64(0)
		if i > 0 {
			start = bucketEnd(i - 1)
		}
		if end := bucketEnd(i); ns < start || ns >= end || ns > 8 && float64(end-start) > float64(start)/4 {
			t.Errorf("%d ns is in bucket %d, from %d to %d", ns, i, start, end)
		}
	}
	for i := range timeBuckets - 1 {
		if end := bucketEnd(i); bucket(end) != i+1 || bucket(end-1) != i {
			t.Errorf("bucket %d ends at %d, which is in %d, and the time before in %d", i, end, bucket(end), bucket(end-1))
		}
	}
	if bucket(1<<62) != timeBuckets-1 {
		t.Error("the longest time has no bucket")
	}
}
