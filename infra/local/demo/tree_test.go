package demo

import (
	"slices"
	"testing"
)

func TestTheTreeKeepsTheRulesOfBrands(t *testing.T) {
	var check func(at string, usable []string, partners []partner)
	check = func(at string, usable []string, partners []partner) {
		for _, p := range partners {
			if len(p.sells) == 0 {
				t.Errorf("%s below %s has no brand to sell under", p.name, at)
			}
			for _, b := range p.sells {
				if !slices.Contains(usable, b) {
					t.Errorf("%s sells %s, which its parent %s has not", p.name, b, at)
				}
			}
			below := p.sells
			if p.owns != nil {
				below = append(slices.Clone(below), p.owns.name)
			}
			check(p.name, below, p.partners)
		}
	}
	check(cloudvendor, []string{vendorBrand.name}, tree)
}

func TestTheTreeIsFourLevelsDeepAndUneven(t *testing.T) {
	levels := map[int]int{}
	var most, without int
	var walk func(level int, partners []partner)
	walk = func(level int, partners []partner) {
		for _, p := range partners {
			levels[level]++
			most = max(most, len(p.customers))
			if len(p.customers) == 0 && len(p.partners) == 0 {
				without++
			}
			walk(level+1, p.partners)
		}
	}
	walk(2, tree) // the root is the first
	if len(levels) != 3 || levels[2]+levels[3]+levels[4] < 24 {
		t.Errorf("partners by level: %v", levels)
	}
	if most <= 100 || without == 0 {
		t.Errorf("the most customers at one partner are %d, and %d partners have nothing below them", most, without)
	}
}
