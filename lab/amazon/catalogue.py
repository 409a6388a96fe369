# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the made-up shop sells: titles with accents, ASINs and SKUs in Amazon's form, prices in euros."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Product:
    """One article at its usual price."""

    sku: str
    asin: str
    title: str
    price: Decimal


_ROWS = (
    ("CAF-INOX-8T", "Cafetière à piston en inox brossé – 8 tasses, garantie à vie", "42.90"),
    ("THE-FONTE-12", "Théière en fonte émaillée 1,2 L « Été indien » avec infuseur", "54.00"),
    ("COUT-CHEF-20", "Couteau de chef 20 cm, lame damassée, manche en chêne fumé", "89.95"),
    ("POELE-CUIV-28", "Poêle en cuivre étamé Ø 28 cm – qualité professionnelle", "189.95"),
    ("PLAN-HETRE-XL", "Planche à découper en hêtre massif XL, rainure à jus", "36.50"),
    ("BALANCE-5KG", "Balance de cuisine numérique 5 kg, précision 1 g, crème", "23.57"),
    ("ROBOT-PATE-5L", "Robot pâtissier 5 L – 1200 W – fouet, crochet, batteur – rouge ébène", "399.99"),
    ("BOUIL-VERRE-17", "Bouilloire en verre 1,7 L à température réglable", "49.90"),
    ("MOULE-KOUG-24", "Moule à kouglof en céramique d’Alsace Ø 24 cm", "31.20"),
    ("SAC-ISO-30L", "Sac isotherme 30 L façon liège, bandoulière réglable", "27.99"),
    ("MACH-ESP-15B", "Machine à expresso 15 bars, broyeur intégré, réservoir 2 L", "441.50"),
    ("LAMPE-CHEV-E14", "Lampe de chevet rétro, câble tressé, douille E14 (ampoule non fournie)", "34.90"),
    ("PLAID-LAINE-GR", "Plaid en laine mérinos gris perlé 130 × 170 cm", "79.11"),
    ("COUS-LIN-45", "Coussin en lin lavé 45 × 45 cm, terre brûlée", "19.90"),
    ("TAPIS-JUTE-160", "Tapis en jute tressé à la main 160 × 230 cm", "129.00"),
    ("VASE-GRES-22", "Vase en grès réactif 22 cm, bleu océan", "38.40"),
    ("MIROIR-OVAL-80", "Miroir ovale à suspendre 80 cm, cadre laiton vieilli", "94.50"),
    ("HORL-SILENC-30", "Horloge murale silencieuse 30 cm, chiffres romains", "29.95"),
    ("CASQ-VELO-M", "Casque de vélo réglable, taille M, visière détachable", "46.80"),
    ("GOURD-ISO-75", "Gourde isotherme 750 ml – 24 h au frais – vert forêt", "25.90"),
    ("CARN-CUIR-A5", "Carnet en cuir recyclé A5, 192 pages pointillées", "21.50"),
    ("STYLO-PLUME-F", "Stylo-plume à pointe fine, étui cadeau, encre « Nuit d’août »", "58.00"),
    ("PUZZLE-2000-PT", "Puzzle 2 000 pièces – Les toits de Paris à l’aube", "24.99"),
    ("JEU-STRAT-FR", "Jeu de stratégie coopératif, 2 à 5 joueurs, édition française", "44.95"),
)

PRODUCTS = tuple(
    Product(f"ECOM-{sku}", f"B0EXMPL{number:03d}", title, Decimal(price))
    for number, (sku, title, price) in enumerate(_ROWS, 1)
)
BY_SKU = {product.sku: product for product in PRODUCTS}
