package demo

import (
	"image/color"

	"example.com/partnertree/infra/local/stack"
)

// partner is a partner to make. Brands are given by name; a partner's own come after it exists.
type partner struct {
	name string
	// sells are the brands made available to it, all of them usable at its parent. The first is its portal brand, unless it
	// owns a brand: then that is.
	sells      []string
	owns       *brand
	noServices bool // it may not provision services
	trashed    bool // it is put into the trash, with all that is below it
	customers  []customer
	partners   []partner
}

type brand struct {
	name, domain string
	regions      []string
	own          *look // nil: it looks like the platform, and people sign in there by the platform's app
}

// customer is a customer to make. It gets the first brand that its partner sells, or the partner's own.
type customer struct {
	name, reference, tenant, domain string
	trashed                         bool
}

// Names that the walk and the callers lean on.
const (
	vazon = "Vazon Bay IT"
	vale  = "Vale Telecom Services"
)

// asked is a move request that is open: an admin at one partner asks for another one, somewhere below, to be moved elsewhere.
var asked = struct{ by, node, to, message string }{
	hexagone, eclair, vazon, "We close our office on the island. They would like to stay with you.",
}

const (
	cloudvendor = "Cloudvendor"
	vazonVoice  = "Vazon Voice"
	nordljus    = "Nordljus"
	fjordtele   = "Fjordtele"
	hexagone    = "Hexagone Télécom"
	eclair      = "Éclair Réseaux"
)

// vendorBrand is the root's own. Everybody below may sell under it unless their parent took it from them.
var vendorBrand = brand{cloudvendor, "cloudvendor.example", []string{"eu-west-1", "eu-central-1", "us-east-1", "ap-northeast-1"}, nil}

// tree is everything below the root: uneven, four levels deep, in many scripts, with siblings whose names differ only in accents or
// case, a partner with many customers, one that may not provision, some that have nothing below them, and some in the trash.
var tree = []partner{
	{
		name: vazon, sells: []string{cloudvendor},
		owns: &brand{vazonVoice, stack.BrandDomain, []string{"eu-west-1", "eu-west-2"}, &look{color.RGBA{0x0f, 0x6e, 0x84, 0xff}, stack.BrandApp}},
		customers: []customer{
			{name: "Braye Harbour Clinic", reference: "VB-1001", tenant: "1f0b6a52-7c64-4c5e-9a53-0d0f4f1a7b11", domain: "brayeharbour.example"},
			{name: "Castel Primary School", reference: "VB-1002", domain: "castelschool.example"},
			{name: "L'Ancresse Golf Club", reference: "VB-1003"},
			{name: "Saint Saviour Parish", reference: "VB-1004"},
			{name: "Petit Bôt Tea Room", reference: "VB-0998", trashed: true},
		},
		partners: []partner{
			{
				name: vale, sells: []string{vazonVoice},
				customers: []customer{
					{name: "Bordeaux Bakery", reference: "V-17", tenant: "8a4f1f0e-2b1d-4f35-8f0c-6f5d3f2f9c02", domain: "bordeauxbakery.example"},
					{name: "Grand Havre Surf School", reference: "V-18"},
					{name: "Vale Castle Museum"},
				},
				partners: []partner{
					{
						name: "Pembroke Networks", sells: []string{vazonVoice},
						customers: []customer{{name: "Chouet Quarry"}, {name: "Ladies Bay Hotel", domain: "ladiesbay.example"}},
					},
					{
						name: "L'Islet Computers", sells: []string{vazonVoice}, noServices: true,
						customers: []customer{{name: "Rousse Tower Tours"}},
					},
				},
			},
			{
				name: "Cobo Connect", sells: []string{cloudvendor, vazonVoice},
				customers: []customer{{name: "Cobo Community Centre"}, {name: "Rockmount Dental", reference: "CC-2"}},
				partners:  []partner{{name: "Albecq Systems", sells: []string{vazonVoice}}},
			},
			{name: "Perelle Telephony", sells: []string{vazonVoice}, noServices: true, customers: []customer{{name: "Fort Grey Café"}}},
			{
				name: "Torteval Exchange", sells: []string{vazonVoice}, trashed: true,
				customers: []customer{{name: "Pleinmont Observatory"}},
				partners:  []partner{{name: "Portelet Lines", sells: []string{vazonVoice}, customers: []customer{{name: "Imperial Hotel"}}}},
			},
		},
	},
	{
		name: "Nordljus Distribution", sells: []string{cloudvendor},
		owns: &brand{nordljus, "nordljus.example", []string{"eu-north-1", "eu-central-1"}, nil},
		partners: []partner{
			{
				name: "Fjordtele AS", sells: []string{nordljus},
				owns: &brand{fjordtele, "fjordtele.example", []string{"eu-north-1"}, nil},
				customers: []customer{
					{name: "Ålesund Fiskeri", reference: "FT-001"},
					{name: "Ærfugl Rederi", reference: "FT-002"},
					{name: "Ørsta Møbler", reference: "FT-003"},
				},
				partners: []partner{
					{name: "Tromsø IT-drift", sells: []string{fjordtele, nordljus}, customers: []customer{{name: "Ishavskatedralen Kafé"}}},
					{name: "Svalbard Nett", sells: []string{fjordtele}},
				},
			},
			{
				name: "Västerås Växel AB", sells: []string{nordljus},
				customers: []customer{{name: "Ånge Sågverk"}, {name: "Östersund Läkarhus", domain: "ostersundlakarhus.example"}},
			},
			{
				name: "Łódź Telekom", sells: []string{nordljus, cloudvendor},
				customers: []customer{{name: "Żółta Łódź Sp. z o.o."}, {name: "Zakład Ślusarski"}},
			},
			{
				name: "Reykjavík Símar", sells: []string{nordljus}, noServices: true,
				partners: []partner{{name: "Þingvellir Tölvur", sells: []string{nordljus}}},
			},
		},
	},
	{
		// Siblings whose names differ in accents and case alone, and two with the same name.
		name: hexagone, sells: []string{cloudvendor},
		partners: []partner{
			{name: eclair, sells: []string{cloudvendor}, customers: []customer{{name: "Crêperie du Vieux Port"}}},
			{name: "Eclair Reseaux", sells: []string{cloudvendor}},
			{name: "ECLAIR RESEAUX", sells: []string{cloudvendor}},
			{
				name: "Île-de-France Voix", sells: []string{cloudvendor},
				customers: []customer{{name: "Hôpital Saint-Cœur"}, {name: "hopital saint-coeur"}},
			},
			{name: "Île-de-France Voix", sells: []string{cloudvendor}},
		},
	},
	{
		name: "Pacific Dial Tone", sells: []string{cloudvendor},
		customers: manyCustomers(),
		partners: []partner{
			{
				name: "東京クラウド通信", sells: []string{cloudvendor},
				customers: []customer{{name: "さくら歯科医院", domain: "sakura-shika.example"}, {name: "株式会社山田製作所"}},
				partners:  []partner{{name: "大阪テレコム", sells: []string{cloudvendor}, customers: []customer{{name: "道頓堀ホテル"}}}},
			},
			{name: "한빛네트웍스", sells: []string{cloudvendor}, customers: []customer{{name: "남산서점"}}},
			{name: "云桥科技", sells: []string{cloudvendor}, customers: []customer{{name: "长城茶馆"}}},
		},
	},
	{
		name: "Levant Voice Group", sells: []string{cloudvendor},
		partners: []partner{
			{name: "شركة الأفق للاتصالات", sells: []string{cloudvendor}, customers: []customer{{name: "مستشفى النور"}}},
			{name: "תקשורת הכרמל", sells: []string{cloudvendor}, customers: []customer{{name: "מאפיית הים"}}},
			{name: "Ελληνική Φωνή", sells: []string{cloudvendor}, customers: []customer{{name: "Ξενοδοχείο Αιγαίο"}}},
			{name: "თბილისი კავშირი", sells: []string{cloudvendor}},
		},
	},
	{
		name: "Rössler & Söhne Systemhaus", sells: []string{cloudvendor},
		customers: []customer{{name: "Bäckerei Groß"}, {name: "Baeckerei Gross"}, {name: "Weißenburger Straßenbau GmbH", reference: "RS/2024-7"}},
	},
	{name: "Киевский Мост", sells: []string{cloudvendor}, customers: []customer{{name: "Аптека №7"}, {name: "Ёлка и Ко"}}},
	{name: "Quiet Reseller", sells: []string{cloudvendor}},
}

// manyCustomers are 156: enough for four pages of a list.
func manyCustomers() []customer {
	places := []string{
		"Apia", "Hilo", "Honiara", "Kahului", "Lautoka", "Nadi", "Nouméa", "Papeete", "Port Vila", "Rarotonga", "Suva", "Tarawa",
	}
	trades := []string{
		"Bakery", "Boat Hire", "Books", "Clinic", "Copra Traders", "Dental", "Diving", "Fisheries", "Hotel", "Law Office", "Pearls",
		"Radio", "School",
	}
	var all []customer
	for i, place := range places {
		for j, trade := range trades {
			all = append(all, customer{name: place + " " + trade, reference: "PDT-" + string('A'+rune(i)) + "-" + string('A'+rune(j))})
		}
	}
	return all
}
